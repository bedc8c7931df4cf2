"""Loaders of a SavedModel that share nothing with the process that trained it, each run in a process of its own."""
