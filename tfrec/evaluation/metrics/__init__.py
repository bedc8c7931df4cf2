"""Scores that can be trusted: with intervals, over the whole split."""
