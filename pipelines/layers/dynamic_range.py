"""A floor below each clip's loudest energy."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Tensor
from pipelines.layers.sequences import sequence_mask, zero_padding

PADDING_ENERGY = -1e30  # of the log energies in the padding, so that the maximum ignores them


@keras.saving.register_keras_serializable("pipelines")
class DynamicRange(Float32Layer):
    """Adds a floor to all energies of a clip, `range_db` below the loudest of them.

    Pauses, whose background noise differs from recording to recording, become similar; speech hardly changes.

    Args:
        range_db: From the loudest energy down to the floor, decibels, above 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `range_db` is 0 or below.
    """

    def __init__(self, range_db: float = 50.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if range_db <= 0:
            raise ValueError(f"range_db must be above 0. Received: {range_db}")
        self.range_db = range_db

    def call(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Adds the floor.

        Args:
            features: Natural-log energies `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.

        Returns:
            log(exp(x) + exp(loudest - range)), `(batch, frames, bins)`, float32; 0 in the padding.
        """
        masked = features
        if lengths is not None:
            masked = ops.where(sequence_mask(lengths, ops.shape(features)[1])[:, :, None], features, PADDING_ENERGY)
        loudest = ops.max(masked, axis=(1, 2), keepdims=True)
        floor = loudest - self.range_db * math.log(10) / 10
        return zero_padding(ops.logaddexp(masked, floor), lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "range_db": self.range_db}
