"""Hyperparameter search over tfrec's configurations."""
