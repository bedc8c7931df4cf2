"""Trained recognizers as one file for phones, boards and other runtimes: made, proved, and opened again."""
