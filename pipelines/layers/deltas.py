"""Derivatives over time of a clip's features."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Shape, Tensor
from pipelines.layers.sequences import sequence_mask, zero_padding


@keras.saving.register_keras_serializable("pipelines")
class Deltas(Float32Layer):
    """Appends first and second derivatives over time to the features.

    delta[t] = sum_k k * (x[t + k] - x[t - k]) / (2 * sum_k k^2), k = 1 ... `radius_frames`. The clip's first and last
    valid frames are repeated beyond its ends (Young et al., The HTK Book).

    Args:
        radius_frames: Frames to either side, at least 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: The radius is below 1.
    """

    def __init__(self, radius_frames: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if radius_frames < 1:
            raise ValueError(f"radius_frames must be at least 1. Received: {radius_frames}")
        self.radius_frames = radius_frames

    def call(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Appends the derivatives.

        Args:
            features: `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.

        Returns:
            `(batch, frames, 3 * bins)`, float32: features, deltas, deltas of the deltas; 0 in the padding.
        """
        deltas = self._regression(features, lengths)
        return zero_padding(ops.concatenate([features, deltas, self._regression(deltas, lengths)], axis=2), lengths)

    def _regression(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Derivatives (batch, frames, bins) of features in the same shape."""
        frames, radius = ops.shape(x)[1], self.radius_frames
        last = x[:, -1:]
        if lengths is not None:
            index = ops.maximum(ops.cast(lengths, "int32") - 1, 0)
            last = ops.take_along_axis(x, index[:, None, None], axis=1)
            x = ops.where(sequence_mask(lengths, frames)[:, :, None], x, last)
        x = ops.concatenate([x[:, :1]] * radius + [x] + [last] * radius, axis=1)
        total = 0.0
        for k in range(1, radius + 1):
            ahead, behind = x[:, radius + k : radius + k + frames], x[:, radius - k : radius - k + frames]
            total += k * (ahead - behind)
        return total / (2 * sum(k * k for k in range(1, radius + 1)))

    def compute_output_shape(self, features_shape: Shape) -> Shape:
        """(batch, frames, bins) -> (batch, frames, 3 * bins)."""
        batch, frames, bins = features_shape
        return batch, frames, None if bins is None else 3 * bins

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "radius_frames": self.radius_frames}
