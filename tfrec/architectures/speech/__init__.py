"""Architectures for speech."""
