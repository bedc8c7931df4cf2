"""Rectangles in images."""

from keras import ops


def inside(size, start, length):
    """(batch, size): which of `size` pixels lie in [start, start + length), both (batch, 1)."""
    pixel = ops.arange(size, dtype="float32")[None]
    return ops.logical_and(pixel >= start, pixel < start + length)
