"""Random loudness."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class Gain(RandomLayer):
    """Multiplies each clip by a random gain, uniform in decibels; only with `training=True`.

    Nothing is clipped: samples may leave [-1, 1].

    Args:
        low_db: Lowest gain, decibels.
        high_db: Highest gain, decibels.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `low_db` is above `high_db`.
    """

    def __init__(self, low_db: float = -6.0, high_db: float = 6.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if not low_db <= high_db:
            raise ValueError(f"low_db must not be above high_db. Received: {low_db=}, {high_db=}")
        self.low_db, self.high_db = low_db, high_db

    def call(self, waveform: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Applies the gains.

        Args:
            waveform: `(batch, samples)`.
            lengths: Valid samples, `(batch,)`; None is all.
            training: Applies gains only if True; otherwise returns the waveform as it is.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        if not training:
            return waveform
        shape = (ops.shape(waveform)[0], 1)
        gain_db = keras.random.uniform(shape, self.low_db, self.high_db, seed=self.seed_generator)
        return zero_padding(waveform * 10.0 ** (gain_db / 20.0), lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "low_db": self.low_db, "high_db": self.high_db}
