"""Normalization by the level of a clip's loudest moments."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Tensor
from pipelines.layers.dynamic_range import PADDING_ENERGY
from pipelines.layers.sequences import sequence_mask, zero_padding


@keras.saving.register_keras_serializable("pipelines")
class LevelNorm(Float32Layer):
    """Log energies above a floor that lies below the level of the clip's loudest frames.

    The level is the mean energy of the `loudest_frames` loudest frames. The result is log(1 + energy / floor): 0 where
    nothing is, so that silence and padding are the same, and the distance to the floor where speech is. Since quiet
    frames have no part in the level, silence, hiss or nothing around a word leave the word's features as they are, and
    a gain changes nothing. A clip whose level is below `quietest` is treated as if it had that level: it stays near 0,
    and is not amplified to full loudness.

    Args:
        range_db: From the level down to the floor, decibels, above 0.
        loudest_frames: Number of frames that determine the level, at least 1; a shorter clip has its own frames only.
        quietest: Natural logarithm of the lowest level.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `range_db` is 0 or below, or `loudest_frames` below 1.
    """

    def __init__(self, range_db: float = 45.0, loudest_frames: int = 5, quietest: float = -14.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if range_db <= 0 or loudest_frames < 1:
            raise ValueError(
                f"range_db must be above 0, loudest_frames 1 or more. Received: {range_db=}, {loudest_frames=}"
            )
        self.range_db, self.loudest_frames, self.quietest = range_db, loudest_frames, quietest

    def call(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Normalizes clips.

        Args:
            features: Natural-log energies `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.

        Returns:
            `(batch, frames, bins)`, float32, at least 0; 0 in the padding.
        """
        frames, bins = ops.shape(features)[1:]
        loudness = ops.logsumexp(features, axis=2) - math.log(bins)
        count: Tensor = ops.minimum(frames, self.loudest_frames)
        if lengths is not None:
            loudness = ops.where(sequence_mask(lengths, frames), loudness, PADDING_ENERGY)
            count = ops.clip(ops.cast(lengths, "int32"), 1, self.loudest_frames)
        loudness = ops.pad(loudness, [[0, 0], [0, self.loudest_frames]], constant_values=PADDING_ENERGY)
        loudest = ops.top_k(loudness, self.loudest_frames)[0]
        level = ops.logsumexp(loudest, axis=1) - ops.log(ops.cast(count, "float32"))
        level = ops.maximum(level, self.quietest)[:, None, None]
        return zero_padding(ops.softplus(features - level + self.range_db * math.log(10) / 10), lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("range_db", "loudest_frames", "quietest")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
