"""The folder of a training."""
