"""Answers for files and recordings: whole, in chunks, or as a stream."""
