"""Hyper-parameter search over tfrec's configurations."""
