"""Likely wrong labels of a data set."""
