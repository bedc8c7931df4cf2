"""Data: raw examples from corpora, preprocessing layers, and the batches made of both."""
