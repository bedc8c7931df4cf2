"""Random loudness."""

import keras
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class Gain(RandomLayer):
    """Multiplies each clip by a gain drawn evenly in decibels; only with `training=True`.

    Input: waveform (batch, samples); `lengths` (batch,), true samples, None for all.
    Output: the same shape, float32; 0 past a clip's samples. Nothing is clipped: samples may leave [-1, 1].
    Raises ValueError when `low_db` is above `high_db`.
    """

    def __init__(self, low_db=-6.0, high_db=6.0, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if not low_db <= high_db:
            raise ValueError(f"low_db must not be above high_db. Received: {low_db=}, {high_db=}")
        self.low_db, self.high_db = low_db, high_db

    def call(self, waveform, lengths=None, training=None):
        """(batch, samples) and true samples (batch,) -> (batch, samples)."""
        if not training:
            return waveform
        shape = (ops.shape(waveform)[0], 1)
        gain_db = keras.random.uniform(shape, self.low_db, self.high_db, seed=self.seed_generator)
        return true_only(waveform * 10.0 ** (gain_db / 20.0), lengths)

    def compute_output_shape(self, waveform_shape):
        """The input's shape."""
        return tuple(waveform_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "low_db": self.low_db, "high_db": self.high_db}
