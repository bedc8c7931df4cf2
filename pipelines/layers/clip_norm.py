"""Normalization of each clip by its own statistics."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class ClipNorm(Float32Layer):
    """Subtracts each clip's mean and divides by its standard deviation.

    With `per_bin` every bin has its own statistics. That removes the channel and, from short clips, the average
    spectrum that distinguishes vowels. Without it all bins share one mean and one variance, which removes the loudness.
    The divisor is sqrt(variance + `epsilon`), so that constant features become 0.

    Args:
        variance: Divides by the standard deviation.
        per_bin: Computes statistics per bin.
        epsilon: Added to the variance, above 0.
        bin_share: Between the two, without `per_bin`: the fraction of the difference between each bin's mean and the
            clip's that is subtracted as well, from 0 to 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `epsilon` is 0 or below, or `bin_share` is outside 0 to 1 or used with `per_bin`.
    """

    def __init__(
        self,
        variance: bool = True,
        per_bin: bool = True,
        epsilon: float = 1e-5,
        bin_share: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= bin_share <= 1 or (per_bin and bin_share):
            raise ValueError(f"bin_share must be from 0 to 1, and 0 with per_bin. Received: {bin_share=}, {per_bin=}")
        if epsilon <= 0:
            raise ValueError(f"epsilon must be above 0. Received: {epsilon}")
        self.variance, self.per_bin, self.epsilon, self.bin_share = variance, per_bin, epsilon, bin_share

    def call(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Normalizes clips by the statistics of their valid frames.

        Args:
            features: `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.

        Returns:
            `(batch, frames, bins)`, float32; 0 in the padding.
        """
        frames, bins = ops.shape(features)[1:]
        count = ops.cast(frames, "float32")
        if lengths is not None:
            count = ops.cast(ops.maximum(lengths, 1), "float32")[:, None, None]
        axes = 1 if self.per_bin else (1, 2)
        count = count if self.per_bin else count * bins
        features = zero_padding(features, lengths)
        mean = ops.sum(features, axis=axes, keepdims=True) / count
        if self.bin_share:
            bin_means = ops.sum(features, axis=1, keepdims=True) * (bins / count)
            mean = mean + self.bin_share * (bin_means - mean)
        centered = zero_padding(features - mean, lengths)
        if not self.variance:
            return centered
        variance = ops.sum(centered * centered, axis=axes, keepdims=True) / count
        return centered * ops.rsqrt(variance + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("variance", "per_bin", "epsilon", "bin_share")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
