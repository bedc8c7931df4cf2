"""Architectures for images, one file each."""
