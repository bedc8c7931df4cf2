"""Metrics of whole splits, with confidence intervals; and what a network costs."""
