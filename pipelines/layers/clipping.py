"""Recorders that are driven too far."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class Clipping(RandomLayer):
    """Clips each clip at a random level below its own peak; only with `training=True`.

    Args:
        max_db: Maximum distance of the level from the peak, decibels, uniform from 0, above 0.
        probability: Probability that a clip changes.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `max_db` is 0 or below, or the probability is outside 0 to 1.
    """

    def __init__(self, max_db: float = 25.0, probability: float = 0.5, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if max_db <= 0:
            raise ValueError(f"max_db must be above 0. Received: {max_db}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1. Received: {probability}")
        self.max_db, self.probability = max_db, probability

    def call(self, waveform: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Clips the samples.

        Args:
            waveform: `(batch, samples)`.
            lengths: Valid samples, `(batch,)`; None is all.
            training: Clips only if True; otherwise returns the waveform as it is.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        if not training:
            return waveform
        waveform = zero_padding(waveform, lengths)
        draws = keras.random.uniform((2, ops.shape(waveform)[0], 1), seed=self.seed_generator)
        db = ops.where(draws[0] < self.probability, self.max_db * draws[1], 0.0)
        level = ops.max(ops.abs(waveform), axis=1, keepdims=True) * 10.0 ** (-db / 20.0)
        return ops.clip(waveform, -level, level)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "max_db": self.max_db, "probability": self.probability}
