"""Scores of a recognizer on splits, among noises, and the metrics behind them."""
