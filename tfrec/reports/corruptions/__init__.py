"""The files of a corruption report."""
