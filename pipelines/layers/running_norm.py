"""Normalization by what has been heard so far."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class RunningNorm(Float32Layer):
    """Takes the mean of the frames heard so far away and, with `variance`, divides by their standard deviation.

    The causal sibling of ClipNorm, for recognition while somebody still speaks: a frame's result depends on that frame
    and on those before it in its clip.
    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: the same shape, float32; 0 past a clip's frames.
    Every clip starts as if `prior_frames` frames with mean `prior_mean` and standard deviation `prior_deviation` had
    been heard in every bin, so that the first frames come out sane; the defaults suit natural-log mel energies of
    speech in [-1, 1]. With `per_bin` every bin has statistics of its own, without it all bins share them.
    Raises ValueError for prior frames or a prior deviation of 0 or below.
    """

    def __init__(self, variance=True, per_bin=True, prior_mean=-5.0, prior_deviation=4.0, prior_frames=50.0, **kwargs):
        super().__init__(**kwargs)
        if prior_frames <= 0 or prior_deviation <= 0:
            raise ValueError(
                f"prior_frames and prior_deviation must be above 0. Received: {prior_frames=}, {prior_deviation=}"
            )
        self.variance, self.per_bin = variance, per_bin
        self.prior_mean, self.prior_deviation, self.prior_frames = prior_mean, prior_deviation, prior_frames

    def call(self, features, lengths=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, bins)."""
        # from the prior mean on, which keeps the squares small
        features = true_only(features - self.prior_mean, lengths)
        seen = 1.0 + ops.arange(ops.shape(features)[1], dtype="float32")[None, :, None]
        frames = seen + self.prior_frames
        mean = ops.cumsum(self._over_bins(features), axis=1) / frames
        centerd = features - mean
        if self.variance:
            squares = ops.cumsum(self._over_bins(features * features), axis=1)
            variance = (squares + self.prior_frames * self.prior_deviation**2) / frames - mean * mean
            centerd = centerd * ops.rsqrt(variance)
        return true_only(centerd, lengths)

    def _over_bins(self, values):
        return values if self.per_bin else ops.mean(values, axis=2, keepdims=True)

    def compute_output_shape(self, features_shape):
        """The input's shape."""
        return tuple(features_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = ("variance", "per_bin", "prior_mean", "prior_deviation", "prior_frames")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
