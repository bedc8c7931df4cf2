"""Normalization of each clip by its own statistics."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class ClipNorm(Float32Layer):
    """Takes the mean over the clip away and, with `variance`, divides by the standard deviation.

    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: the same shape, float32; statistics are of the clip's true frames alone; 0 past them.
    With `per_bin` every bin has statistics of its own, which takes the channel away and, from short clips, the average
    spectrum that tells vowels apart; without it all bins share one mean and one variance, which takes the loudness
    away. `bin_share` lies between the two: so much of the difference of each bin's mean from the clip's is taken away.
    The divisor is sqrt(variance + `epsilon`), so what never changes comes out as 0.
    Raises ValueError for an epsilon of 0 or below, and for a share outside 0 to 1 or where each bin is by itself.
    """

    def __init__(self, variance=True, per_bin=True, epsilon=1e-5, bin_share=0.0, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= bin_share <= 1 or (per_bin and bin_share):
            raise ValueError(f"bin_share must be from 0 to 1, and 0 with per_bin. Received: {bin_share=}, {per_bin=}")
        if epsilon <= 0:
            raise ValueError(f"epsilon must be above 0. Received: {epsilon}")
        self.variance, self.per_bin, self.epsilon, self.bin_share = variance, per_bin, epsilon, bin_share

    def call(self, features, lengths=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, bins)."""
        frames, bins = ops.shape(features)[1:]
        count = ops.cast(frames, "float32")
        if lengths is not None:
            count = ops.cast(ops.maximum(lengths, 1), "float32")[:, None, None]
        axes = 1 if self.per_bin else (1, 2)
        count = count if self.per_bin else count * bins
        features = true_only(features, lengths)
        mean = ops.sum(features, axis=axes, keepdims=True) / count
        if self.bin_share:
            of_bins = ops.sum(features, axis=1, keepdims=True) * (bins / count)
            mean = mean + self.bin_share * (of_bins - mean)
        centerd = true_only(features - mean, lengths)
        if not self.variance:
            return centerd
        variance = ops.sum(centerd * centerd, axis=axes, keepdims=True) / count
        return centerd * ops.rsqrt(variance + self.epsilon)

    def compute_output_shape(self, features_shape):
        """The input's shape."""
        return tuple(features_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = ("variance", "per_bin", "epsilon", "bin_share")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
