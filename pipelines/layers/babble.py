"""Babble from the batch's own speech."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.background import BackgroundMix
from pipelines.layers.base import Tensor
from pipelines.layers.sequences import random_integers


@keras.saving.register_keras_serializable("pipelines")
class Babble(BackgroundMix):
    """Mixes each clip with other clips of the batch as background speech; only with `training=True`.

    The babble is the sum of `speakers` other clips, drawn with replacement; each is scaled to the same mean power and
    repeated from a random start to fill the clip. Nothing is clipped: samples may leave [-1, 1]. This is the only layer
    whose result depends on the batch; it does not change a batch of one clip.

    Args:
        speakers: Number of background clips, at least 1.
        snr_db: See `BackgroundMix`.
        probability: See `BackgroundMix`.
        sample_rate_hz: See `BackgroundMix`.
        silence_dbfs: See `BackgroundMix`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: As `BackgroundMix`, or for fewer speakers than 1.
    """

    def __init__(
        self,
        speakers: int = 4,
        snr_db: tuple[float, float] = (5.0, 20.0),
        probability: float = 1.0,
        sample_rate_hz: int | None = None,
        silence_dbfs: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(snr_db, probability, sample_rate_hz, silence_dbfs, seed=seed, **kwargs)
        if speakers < 1:
            raise ValueError(f"speakers must be at least 1. Received: {speakers}")
        self.speakers = speakers

    def background(self, waveform: Tensor, valid_samples: Tensor) -> Tensor:
        """Sums other clips.

        Args:
            waveform: `(batch, samples)`, 0 in the padding.
            valid_samples: `(batch, 1)`, int32.

        Returns:
            `(batch, samples)`; 0 for a batch of one clip.
        """
        batch = ops.shape(waveform)[0]
        babble = sum(self._other_clips(waveform, valid_samples[:, 0], batch) for _ in range(self.speakers))
        return ops.where(batch > 1, babble, 0.0)

    def _other_clips(self, waveform: Tensor, valid_samples: Tensor, batch: Tensor) -> Tensor:
        """For each clip another one at mean power 1, from a random start, repeated to fill the clip."""
        energy = ops.sum(waveform * waveform, axis=1)
        power = energy / ops.cast(ops.maximum(valid_samples, 1), "float32")
        scale = ops.where(power > 0, ops.rsqrt(ops.where(power > 0, power, 1.0)), 0.0)
        distance = 1 + random_integers((batch, 1), ops.maximum(batch - 1, 1), self.seed_generator)
        which = (ops.arange(batch, dtype="int32")[:, None] + distance) % batch
        length = ops.maximum(ops.take(valid_samples, which), 1)
        start = random_integers((batch, 1), length, self.seed_generator)
        samples = ops.shape(waveform)[1]
        position = (start + ops.arange(samples, dtype="int32")[None, :]) % length
        return ops.take(scale, which) * ops.take(ops.reshape(waveform, (-1,)), which * samples + position)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "speakers": self.speakers}
