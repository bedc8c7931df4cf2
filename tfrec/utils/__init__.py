"""Helpers that every package may use: console, files, sub-processes, scheduling, progress."""
