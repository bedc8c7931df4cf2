"""Causal normalization by running statistics."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class RunningNorm(Float32Layer):
    """Subtracts the mean of the frames so far and divides by their standard deviation.

    The causal counterpart of ClipNorm, for streaming recognition: a frame's result depends on that frame and on those
    before it in its clip. Every clip starts as if `prior_frames` frames with mean `prior_mean` and standard deviation
    `prior_deviation` had preceded it in every bin, so that the first frames have a sensible scale. The defaults suit
    natural-log mel energies of speech in [-1, 1].

    Args:
        variance: Divides by the standard deviation.
        per_bin: Computes statistics per bin; otherwise all bins share them.
        prior_mean: Mean of the frames assumed before a clip; a number, or one value per bin `(bins,)`.
        prior_deviation: Their standard deviation, above 0; likewise.
        prior_frames: Their number, above 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `prior_frames` or `prior_deviation` is 0 or below.
    """

    def __init__(
        self,
        variance: bool = True,
        per_bin: bool = True,
        prior_mean: float = -5.0,
        prior_deviation: float = 4.0,
        prior_frames: float = 50.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if prior_frames <= 0 or prior_deviation <= 0:
            raise ValueError(
                f"prior_frames and prior_deviation must be above 0. Received: {prior_frames=}, {prior_deviation=}"
            )
        self.variance, self.per_bin = variance, per_bin
        self.prior_mean, self.prior_deviation, self.prior_frames = prior_mean, prior_deviation, prior_frames

    def call(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Normalizes each frame by the statistics up to it.

        Args:
            features: `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.

        Returns:
            `(batch, frames, bins)`, float32; 0 in the padding.
        """
        # relative to the prior mean, which keeps the squares small
        features = zero_padding(features - self.prior_mean, lengths)
        seen = 1.0 + ops.arange(ops.shape(features)[1], dtype="float32")[None, :, None]
        frames = seen + self.prior_frames
        mean = ops.cumsum(self._over_bins(features), axis=1) / frames
        centered = features - mean
        if self.variance:
            squares = ops.cumsum(self._over_bins(features * features), axis=1)
            variance = (squares + self.prior_frames * self.prior_deviation**2) / frames - mean * mean
            centered = centered * ops.rsqrt(variance)
        return zero_padding(centered, lengths)

    def _over_bins(self, values: Tensor) -> Tensor:
        """The values themselves with `per_bin`, else their mean over the bins."""
        return values if self.per_bin else ops.mean(values, axis=2, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("variance", "per_bin", "prior_mean", "prior_deviation", "prior_frames")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
