"""Losses of a batch that are no mean over its examples."""
