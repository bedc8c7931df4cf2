"""What layers over time share: true lengths, and random whole numbers per clip."""

import keras
import numpy as np
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


def decaying_sum(sequence, decay, block=64):
    """y[t] = x[t] + `decay` y[t - 1], y[-1] = 0, along (batch, steps, bins); `decay` from 0 to below 1.

    Products of triangular matrices, inside blocks of steps and from block to block, instead of a loop over steps.
    """
    steps = ops.shape(sequence)[1]
    bins = sequence.shape[2]
    count = (steps + block - 1) // block
    sequence = ops.pad(sequence, [[0, 0], [0, count * block - steps], [0, 0]])
    age = np.arange(block)[:, None] - np.arange(block)
    inside = np.where(age >= 0, float(decay) ** np.maximum(age, 0), 0.0).astype("float32")
    sums = ops.matmul(inside, ops.reshape(sequence, (-1, count, block, bins)))
    # what each block hands on to the next: its last sum, and what it got itself, older by a block
    number = ops.arange(count, dtype="float32")
    age = number[:, None] - number - 1.0
    between = ops.where(age >= 0, (float(decay) ** block) ** ops.maximum(age, 0.0), 0.0)
    carried = ops.matmul(between, sums[:, :, -1])
    fading = (float(decay) ** np.arange(1, block + 1)).astype("float32")[:, None]
    return ops.reshape(sums + fading * carried[:, :, None], (-1, count * block, bins))[:, :steps]
