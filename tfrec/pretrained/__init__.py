"""Weights to start training from: published for ImageNet, of a run, or in a weights file."""
