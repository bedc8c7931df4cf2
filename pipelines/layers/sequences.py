"""Operations on padded sequences: masks, valid lengths, random integers per clip, recursive averages.

`lengths` are the valid steps of each clip in a batch, `(batch,)`; what follows them is padding.
"""

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Tensor


def sequence_mask(lengths: Tensor, steps: Tensor) -> Tensor:
    """Marks the valid steps of each clip.

    Args:
        lengths: Valid steps, `(batch,)`.
        steps: Steps of the batch, an int or a scalar tensor.

    Returns:
        Booleans `(batch, steps)`, False in the padding.
    """
    return ops.arange(steps, dtype="int32")[None, :] < ops.cast(lengths, "int32")[:, None]


def zero_padding(sequence: Tensor, lengths: Tensor | None) -> Tensor:
    """Sets the padding to zero, NaN included.

    Args:
        sequence: `(batch, steps)` or `(batch, steps, bins)`.
        lengths: Valid steps, `(batch,)`; None returns the sequence as it is.

    Returns:
        The sequence's shape.
    """
    if lengths is None:
        return sequence
    valid = sequence_mask(lengths, ops.shape(sequence)[1])
    if len(sequence.shape) == 3:
        valid = valid[:, :, None]
    return ops.where(valid, sequence, 0.0)  # a product would keep NaN


def valid_lengths(sequence: Tensor, lengths: Tensor | None) -> Tensor:
    """Fills in the lengths of sequences without padding.

    Args:
        sequence: `(batch, steps, ...)`.
        lengths: Valid steps, `(batch,)`, or None for all.

    Returns:
        `(batch,)`, int32.
    """
    batch, steps = ops.shape(sequence)[:2]
    return ops.broadcast_to(steps, (batch,)) if lengths is None else ops.cast(lengths, "int32")


def random_integers(shape: tuple[Tensor, ...], ends: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
    """Draws uniform integers from 0 to `ends` - 1.

    Args:
        shape: Shape of the result.
        ends: Number of values of each draw, at least 1; broadcasts to `shape`.
        seed: Source of randomness.

    Returns:
        int32 of `shape`.
    """
    ends = ops.cast(ends, "int32")
    numbers = ops.cast(keras.random.uniform(shape, seed=seed) * ops.cast(ends, "float32"), "int32")
    return ops.minimum(numbers, ends - 1)  # rounding reaches the end now and then


def decaying_sum(sequence: Tensor, decay: float, block: int = 64) -> Tensor:
    """Computes y[t] = x[t] + `decay` y[t - 1] with y[-1] = 0.

    Products of triangular matrices, inside blocks of steps and from block to block, instead of a loop over steps.

    Args:
        sequence: `(batch, steps, bins)`.
        decay: From 0 to below 1.
        block: Steps of a block; the result does not depend on it.

    Returns:
        `(batch, steps, bins)`.
    """
    steps = ops.shape(sequence)[1]
    bins = sequence.shape[2]
    count = (steps + block - 1) // block
    sequence = ops.pad(sequence, [[0, 0], [0, count * block - steps], [0, 0]])
    distance = np.arange(block)[:, None] - np.arange(block)
    inside = np.where(distance >= 0, float(decay) ** np.maximum(distance, 0), 0.0).astype("float32")
    sums = ops.matmul(inside, ops.reshape(sequence, (-1, count, block, bins)))
    # what each block passes to the next: its own last sum, and what it received, one block older
    number = ops.arange(count, dtype="float32")
    age = number[:, None] - number - 1.0
    between = ops.where(age >= 0, (float(decay) ** block) ** ops.maximum(age, 0.0), 0.0)
    carried = ops.matmul(between, sums[:, :, -1])
    fading = (float(decay) ** np.arange(1, block + 1)).astype("float32")[:, None]
    return ops.reshape(sums + fading * carried[:, :, None], (-1, count * block, bins))[:, :steps]
