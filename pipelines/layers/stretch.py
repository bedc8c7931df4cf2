"""What the layers share that make clips longer or shorter.

Factors are whole thousandths, so that positions and lengths are whole-number arithmetic, exact in a clip of any length.
"""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import draw_integers, true_lengths


class Stretch(RandomLayer):
    """A random layer that takes a sequence and its true lengths and returns both, of other lengths in training.

    A subclass sets `_rates`, the lowest and the highest factor in thousandths, and offers `stretch`.
    """

    def call(self, sequence, lengths=None, training=None):
        """(batch, steps, ...) and true steps (batch,) -> (batch, steps_out, ...) and new true steps (batch,), int32."""
        lengths = true_lengths(sequence, lengths)
        return self.stretch(sequence, lengths) if training else (sequence, lengths)

    def steps_out(self, steps):
        """Steps of the output of `steps` in training: ceil(steps / lowest factor); an int or an int tensor."""
        # in two parts, since 1000 times the steps of a long recording is more than 32 bits hold
        lowest = self._rates[0]
        return steps // lowest * 1000 + (steps % lowest * 1000 + lowest - 1) // lowest

    def draw(self, batch):
        """A factor per clip in thousandths, evenly, (batch,) int32."""
        low, high = self._rates
        return low + draw_integers((batch,), high - low + 1, self.seed_generator)

    def compute_output_shape(self, sequence_shape, training=None):
        """The sequence's new shape, its true steps' shape; None stays None."""
        batch, steps, *rest = sequence_shape
        return (batch, steps if steps is None or not training else self.steps_out(steps), *rest), (batch,)

    def compute_output_spec(self, sequence, lengths=None, training=None):
        """What `call` returns, as symbols: Keras would take the lengths for floats."""
        shape, lengths_shape = self.compute_output_shape(sequence.shape, training)
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(lengths_shape, "int32")


def thousandths(name, low, high):
    """(low, high) as whole thousandths; raises ValueError for an empty range and one outside 0.1 to 10."""
    rates = math.ceil(round(low * 1000, 6)), math.floor(round(high * 1000, 6))
    if not 100 <= rates[0] <= rates[1] <= 10_000:
        raise ValueError(f"{name} must hold: 0.1 <= low <= high <= 10. Received: {low}, {high}")
    return rates


def new_lengths(lengths, rates):
    """True steps (batch,) and factors in thousandths (batch,) -> as many steps as begin inside the clip, (batch,)."""
    last = ops.maximum(lengths - 1, 0)
    return ops.where(lengths > 0, last // rates * 1000 + last % rates * 1000 // rates + 1, 0)


def places(steps_out, rates):
    """Where new steps lie among the old: whole steps, int32, and what is left, float32, both (batch, steps_out)."""
    step = ops.arange(steps_out, dtype="int32")[None, :]
    rates = rates[:, None]
    rest = step % 1000 * rates
    return step // 1000 * rates + rest // 1000, ops.cast(rest % 1000, "float32") / np.float32(1000)


def take_steps(sequence, steps, lengths):
    """What `sequence` (batch, any, ...) has at `steps` (batch, n), held at the clip's first and last step."""
    shape = ops.shape(sequence)
    steps = ops.clip(steps, 0, ops.maximum(lengths - 1, 0)[:, None])
    rows = ops.arange(shape[0], dtype="int32")[:, None] * shape[1] + steps
    return ops.take(ops.reshape(sequence, (-1, *shape[2:])), rows, axis=0)
