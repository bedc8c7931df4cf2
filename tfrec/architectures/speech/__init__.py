"""Architectures for speech, one file each."""
