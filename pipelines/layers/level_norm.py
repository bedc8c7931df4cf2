"""Normalization by the level of a clip's loudest moments."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Tensor
from pipelines.layers.dynamic_range import PADDING_ENERGY
from pipelines.layers.sequences import sequence_mask, zero_padding

ACTIVE_DB = 30.0  # from the level down to frames that count as silence
EPSILON = 1e-2  # added to variances, so that a clip without sound stays near 0


@keras.saving.register_keras_serializable("pipelines")
class LevelNorm(Float32Layer):
    """Log energies above a floor that lies below the level of the clip's loudest frames.

    The level is the mean energy of the `loudest_frames` loudest frames. The result is log(1 + energy / floor): 0 where
    nothing is, so that silence and padding are the same, and the distance to the floor where speech is. Since quiet
    frames have no part in the level, silence, hiss or nothing around a word leave the word's features as they are, and
    a gain changes nothing. A clip whose level is below `quietest` is treated as if it had that level: it stays near 0,
    and is not amplified to full loudness.

    With `standardize` each bin then has mean 0 and variance 1 over the frames with sound, which are within ACTIVE_DB
    of the level, as recurrent networks need it.

    Args:
        range_db: From the level down to the floor, decibels, above 0.
        loudest_frames: Number of frames that determine the level, at least 1; a shorter clip has its own frames only.
        quietest: Natural logarithm of the lowest level.
        standardize: Subtracts means and divides by standard deviations.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `range_db` is 0 or below, or `loudest_frames` below 1.
    """

    def __init__(
        self,
        range_db: float = 45.0,
        loudest_frames: int = 5,
        quietest: float = -14.0,
        standardize: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if range_db <= 0 or loudest_frames < 1:
            raise ValueError(
                f"range_db must be above 0, loudest_frames 1 or more. Received: {range_db=}, {loudest_frames=}"
            )
        self.range_db, self.loudest_frames, self.quietest = range_db, loudest_frames, quietest
        self.standardize = standardize

    def call(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Normalizes clips.

        Args:
            features: Natural-log energies `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.

        Returns:
            `(batch, frames, bins)`, float32, at least 0 unless standardized; 0 in the padding.
        """
        frames, bins = ops.shape(features)[1:]
        loudness = ops.logsumexp(features, axis=2) - math.log(bins)
        count: Tensor = ops.minimum(frames, self.loudest_frames)
        if lengths is not None:
            loudness = ops.where(sequence_mask(lengths, frames), loudness, PADDING_ENERGY)
            count = ops.clip(ops.cast(lengths, "int32"), 1, self.loudest_frames)
        padded = ops.pad(loudness, [[0, 0], [0, self.loudest_frames]], constant_values=PADDING_ENERGY)
        loudest = ops.top_k(padded, self.loudest_frames)[0]
        level = ops.logsumexp(loudest, axis=1) - ops.log(ops.cast(count, "float32"))
        level = ops.maximum(level, self.quietest)[:, None]
        features = ops.softplus(features - level[..., None] + self.range_db * math.log(10) / 10)
        if self.standardize:
            features = _standardized(features, loudness > level - ACTIVE_DB * math.log(10) / 10)
        return zero_padding(features, lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("range_db", "loudest_frames", "quietest", "standardize")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _standardized(features: Tensor, is_active: Tensor) -> Tensor:
    """Features `(batch, frames, bins)` with mean 0 and variance 1 over the active frames `(batch, frames)`."""
    weights = ops.cast(is_active, "float32")[..., None]
    count = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    # Where nothing is active, neither is subtracted, and silence stays 0.
    centered = features - ops.sum(ops.where(weights > 0, features, 0.0), axis=1, keepdims=True) / count
    variance = ops.sum(ops.where(weights > 0, centered * centered, 0.0), axis=1, keepdims=True) / count
    return centered * ops.where(ops.any(is_active, axis=1)[:, None, None], ops.rsqrt(variance + EPSILON), 1.0)
