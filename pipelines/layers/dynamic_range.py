"""A floor below each clip's loudest energy."""

import math

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import mask, true_only

LOWEST = -1e30


@keras.saving.register_keras_serializable("pipelines")
class DynamicRange(Float32Layer):
    """Adds to all energies of a clip a floor that lies `range_db` below the loudest of them.

    Input: log energies (batch, frames, bins), natural; `lengths` (batch,), true frames, None for all.
    Output: the same shape, float32: log(exp(x) + exp(loudest - range)); 0 past a clip's frames. What a microphone
    hears in pauses, which differs from recording to recording, then looks alike; speech stays as it is.
    Raises ValueError for a range of 0 or below.
    """

    def __init__(self, range_db=50.0, **kwargs):
        super().__init__(**kwargs)
        if range_db <= 0:
            raise ValueError(f"range_db must be above 0. Received: {range_db}")
        self.range_db = range_db

    def call(self, features, lengths=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, bins)."""
        inside = features
        if lengths is not None:
            inside = ops.where(mask(lengths, ops.shape(features)[1])[:, :, None], features, LOWEST)
        loudest = ops.max(inside, axis=(1, 2), keepdims=True)
        floor = loudest - self.range_db * math.log(10) / 10
        return true_only(ops.logaddexp(inside, floor), lengths)

    def compute_output_shape(self, features_shape):
        """The input's shape."""
        return tuple(features_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "range_db": self.range_db}
