"""Intervals of pixels."""

from keras import ops

from pipelines.layers.base import Tensor


def interval_mask(size: Tensor, start: Tensor, length: Tensor) -> Tensor:
    """Marks the pixels of an axis that lie in an interval.

    Args:
        size: Pixels of the axis, an int or a scalar tensor.
        start: First pixel of each example's interval, `(batch, 1)`.
        length: Pixels of each example's interval, `(batch, 1)`.

    Returns:
        Booleans `(batch, size)`, True in [start, start + length).
    """
    pixel = ops.arange(size, dtype="float32")[None]
    return ops.logical_and(pixel >= start, pixel < start + length)
