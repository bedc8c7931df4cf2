"""Weights that a training starts from: of ImageNet, of a run, of a file."""
