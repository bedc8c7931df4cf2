"""Random frequency response of the microphone."""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class ChannelGain(RandomLayer):
    """Adds a random smooth curve over the bins to each clip, as an unknown microphone; only with `training=True`.

    Input: natural-log energies (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: the same shape, float32; 0 past a clip's frames.
    The curve is the same in all frames of a clip. At `knots` places, the first and the last bin among them and the
    others evenly between, it takes values drawn evenly from -`max_db` to `max_db`, decibels of power, and goes from one
    to the next along half a cosine.
    Raises ValueError for a negative `max_db` and fewer than 2 knots.
    """

    def __init__(self, max_db=6.0, knots=4, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if max_db < 0:
            raise ValueError(f"max_db must not be negative. Received: {max_db}")
        if knots < 2:
            raise ValueError(f"knots must be at least 2. Received: {knots}")
        self.max_db, self.knots = max_db, knots

    def call(self, features, lengths=None, training=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, bins)."""
        if not training:
            return features
        batch, _, bins = ops.shape(features)
        place = np.linspace(0, self.knots - 1, bins)
        distance = np.minimum(np.abs(place - np.arange(self.knots)[:, None]), 1)
        shares = (0.5 + 0.5 * np.cos(np.pi * distance)).astype("float32")
        gains_db = keras.random.uniform((batch, self.knots), -self.max_db, self.max_db, seed=self.seed_generator)
        curve = ops.matmul(gains_db * (math.log(10) / 10), shares)
        return true_only(features + curve[:, None, :], lengths)

    def compute_output_shape(self, features_shape):
        """The input's shape."""
        return tuple(features_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "max_db": self.max_db, "knots": self.knots}
