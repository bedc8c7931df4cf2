"""Random frequency response of the microphone."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class ChannelGain(RandomLayer):
    """Adds a random smooth curve over the bins to each clip, as an unknown microphone would; only with `training=True`.

    The curve is the same in all frames of a clip. At `knots` bins, the first and the last among them and the others
    evenly between, its value is uniform from -`max_db` to `max_db`; between knots it follows half a cosine.

    Args:
        max_db: Maximum of the curve in either direction, decibels of power.
        knots: Bins at which the curve is drawn, at least 2.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `max_db` is negative, or there are fewer than 2 knots.
    """

    def __init__(self, max_db: float = 6.0, knots: int = 4, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if max_db < 0:
            raise ValueError(f"max_db must not be negative. Received: {max_db}")
        if knots < 2:
            raise ValueError(f"knots must be at least 2. Received: {knots}")
        self.max_db, self.knots = max_db, knots

    def call(self, features: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Adds the curves.

        Args:
            features: Natural-log energies `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.
            training: Adds curves only if True; otherwise returns the features as they are.

        Returns:
            `(batch, frames, bins)`, float32; 0 in the padding.
        """
        if not training:
            return features
        batch, _, bins = ops.shape(features)
        position = np.linspace(0, self.knots - 1, bins)
        distance = np.minimum(np.abs(position - np.arange(self.knots)[:, None]), 1)
        weights = (0.5 + 0.5 * np.cos(np.pi * distance)).astype("float32")
        gains_db = keras.random.uniform((batch, self.knots), -self.max_db, self.max_db, seed=self.seed_generator)
        curve = ops.matmul(gains_db * (math.log(10) / 10), weights)
        return zero_padding(features + curve[:, None, :], lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "max_db": self.max_db, "knots": self.knots}
