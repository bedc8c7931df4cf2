"""Data: raw examples from corpora, the preprocessing layers, and how they are put together."""
