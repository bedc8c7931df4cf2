"""What layers over time share: true lengths, and random whole numbers per clip."""

import keras
from keras import ops


def mask(lengths, steps):
    """(batch,) true lengths -> (batch, steps) booleans, True inside the clip."""
    return ops.arange(steps, dtype="int32")[None, :] < ops.cast(lengths, "int32")[:, None]


def true_only(sequence, lengths):
    """Zeros what lies past the true lengths; (batch, steps) or (batch, steps, bins), `lengths` (batch,) or None."""
    if lengths is None:
        return sequence
    inside = mask(lengths, ops.shape(sequence)[1])
    if len(sequence.shape) == 3:
        inside = inside[:, :, None]
    return ops.where(inside, sequence, 0.0)  # a product would keep NaN


def true_lengths(sequence, lengths):
    """(batch,) int32: `lengths`, or all steps of `sequence` where it is None."""
    batch, steps = ops.shape(sequence)[:2]
    return ops.broadcast_to(steps, (batch,)) if lengths is None else ops.cast(lengths, "int32")


def draw_integers(shape, ends, seed):
    """Whole numbers from 0 to `ends` - 1, int32 of `shape`; `ends` broadcasts to it."""
    ends = ops.cast(ends, "int32")
    numbers = ops.cast(keras.random.uniform(shape, seed=seed) * ops.cast(ends, "float32"), "int32")
    return ops.minimum(numbers, ends - 1)  # rounding reaches the end now and then
