"""The base class of layers that change the length of clips.

Factors are whole thousandths, so that positions and lengths are integer arithmetic, exact in a clip of any length.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.sequences import random_integers, valid_lengths


class Stretch(RandomLayer):
    """A random layer that takes sequences and their lengths and returns both, of other lengths in training.

    A subclass sets `_rates`, the lowest and the highest factor in thousandths, and implements `stretch`.
    """

    _rates: tuple[int, int]

    def call(
        self, sequence: Tensor, lengths: Tensor | None = None, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Changes the length of each clip at random.

        Args:
            sequence: `(batch, steps, ...)`.
            lengths: Valid steps, `(batch,)`; None is all.
            training: Changes lengths only if True.

        Returns:
            `(batch, steps_out, ...)`, float32, 0 in the padding, and its valid steps `(batch,)`, int32; without
            `training=True` the sequence as it is and its lengths.
        """
        lengths = valid_lengths(sequence, lengths)
        return self.stretch(sequence, lengths) if training else (sequence, lengths)

    def stretch(self, sequence: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Stretches each clip at random.

        Args:
            sequence: `(batch, steps, ...)`.
            lengths: Valid steps, `(batch,)`, int32.

        Returns:
            `(batch, steps_out, ...)`, 0 in the padding, and its valid steps `(batch,)`, int32.
        """
        raise NotImplementedError

    def steps_out(self, steps: Tensor) -> Tensor:
        """Computes the steps of a stretched batch.

        Args:
            steps: Steps of the batch, an int or an int tensor.

        Returns:
            ceil(steps / lowest factor), an int or an int tensor.
        """
        # in two parts, since 1000 times the steps of a long recording exceeds 32 bits
        lowest = self._rates[0]
        return steps // lowest * 1000 + (steps % lowest * 1000 + lowest - 1) // lowest

    def sample_rates(self, batch: Tensor) -> Tensor:
        """Draws a factor per clip, uniform.

        Args:
            batch: Number of clips, an int or a scalar tensor.

        Returns:
            Thousandths `(batch,)`, int32.
        """
        low, high = self._rates
        return low + random_integers((batch,), high - low + 1, self.seed_generator)

    def compute_output_shape(self, sequence_shape: Shape, training: bool | None = None) -> tuple[Shape, Shape]:
        """The sequence's new shape and that of its lengths; None stays None."""
        batch, steps, *rest = sequence_shape
        return (batch, steps if steps is None or not training else self.steps_out(steps), *rest), (batch,)

    def compute_output_spec(
        self, sequence: Tensor, lengths: Tensor | None = None, training: bool | None = None
    ) -> tuple[Any, Any]:
        """What `call` returns, as symbols: by default Keras would declare the lengths as float32."""
        shape, lengths_shape = self.compute_output_shape(sequence.shape, training)
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(lengths_shape, "int32")


def to_thousandths(name: str, low: float, high: float) -> tuple[int, int]:
    """Rounds a range of factors inwards to whole thousandths.

    Args:
        name: The range's name, for the message.
        low: Lowest factor.
        high: Highest factor.

    Returns:
        Lowest and highest factor in thousandths.

    Raises:
        ValueError: The range is empty or outside 0.1 to 10.
    """
    rates = math.ceil(round(low * 1000, 6)), math.floor(round(high * 1000, 6))
    if not 100 <= rates[0] <= rates[1] <= 10_000:
        raise ValueError(f"{name} must hold: 0.1 <= low <= high <= 10. Received: {low}, {high}")
    return rates


def stretched_lengths(lengths: Tensor, rates: Tensor) -> Tensor:
    """Computes the valid steps of stretched clips: as many as begin inside the clip.

    Args:
        lengths: Valid steps, `(batch,)`, int32.
        rates: Factors in thousandths, `(batch,)`, int32.

    Returns:
        `(batch,)`, int32.
    """
    last = ops.maximum(lengths - 1, 0)
    return ops.where(lengths > 0, last // rates * 1000 + last % rates * 1000 // rates + 1, 0)


def source_positions(steps_out: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
    """Computes where the steps of stretched clips lie in the originals.

    Args:
        steps_out: Steps of the stretched batch, an int or a scalar tensor.
        rates: Factors in thousandths, `(batch,)`, int32.

    Returns:
        Whole steps, int32, and the fractions that remain, float32, both `(batch, steps_out)`.
    """
    step = ops.arange(steps_out, dtype="int32")[None, :]
    rates = rates[:, None]
    rest = step % 1000 * rates
    return step // 1000 * rates + rest // 1000, ops.cast(rest % 1000, "float32") / np.float32(1000)


def gather_steps(sequence: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
    """Gathers steps of each clip; those before the first or after the last valid step repeat it.

    Args:
        sequence: `(batch, any, ...)`.
        steps: Indices `(batch, n)`, int32.
        lengths: Valid steps, `(batch,)`, int32.

    Returns:
        `(batch, n, ...)`.
    """
    shape = ops.shape(sequence)
    steps = ops.clip(steps, 0, ops.maximum(lengths - 1, 0)[:, None])
    rows = ops.arange(shape[0], dtype="int32")[:, None] * shape[1] + steps
    return ops.take(ops.reshape(sequence, (-1, *shape[2:])), rows, axis=0)
