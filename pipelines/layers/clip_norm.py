"""Normalisation of each clip by its own statistics."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class ClipNorm(Float32Layer):
    """Takes each bin's mean over the clip away and, with `variance`, divides by its standard deviation.

    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: the same shape, float32; statistics are of the clip's true frames alone; 0 past them.
    The divisor is sqrt(variance + `epsilon`), so a bin that never changes comes out as 0.
    Raises ValueError for an epsilon of 0 or below.
    """

    def __init__(self, variance=True, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(f"epsilon must be above 0. Received: {epsilon}")
        self.variance, self.epsilon = variance, epsilon

    def call(self, features, lengths=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, bins)."""
        if lengths is None:
            count = ops.cast(ops.shape(features)[1], "float32")
        else:
            count = ops.cast(ops.maximum(lengths, 1), "float32")[:, None, None]
        features = true_only(features, lengths)
        mean = ops.sum(features, axis=1, keepdims=True) / count
        centred = true_only(features - mean, lengths)
        if not self.variance:
            return centred
        variance = ops.sum(centred * centred, axis=1, keepdims=True) / count
        return centred * ops.rsqrt(variance + self.epsilon)

    def compute_output_shape(self, features_shape):
        """The input's shape."""
        return tuple(features_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "variance": self.variance, "epsilon": self.epsilon}
