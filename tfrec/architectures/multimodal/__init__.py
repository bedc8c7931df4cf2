"""Architectures for pictures and sounds together."""
