"""Noise from a bank of recordings."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.background import BackgroundMix
from pipelines.layers.base import Tensor
from pipelines.layers.sequences import random_integers


@keras.saving.register_keras_serializable("pipelines")
class NoiseMix(BackgroundMix):
    """Adds a random piece of a random noise to each clip at a random ratio; only with `training=True`.

    The noises live in a non-trainable weight, on the model's device and in its weights file; until `fill` they are
    zero. A noise shorter than its clip is repeated from a random start. A clip without power, or whose piece of noise
    has none, does not change. Nothing is clipped or rescaled: samples may leave [-1, 1].

    Args:
        num_noises: Number of noises, at least 1.
        noise_samples: Samples of the longest noise, at least 1.
        snr_db: See `BackgroundMix`.
        probability: See `BackgroundMix`.
        sample_rate_hz: See `BackgroundMix`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        noises (keras.Variable): The bank, float32 `(num_noises, noise_samples)`.
        noise_lengths (keras.Variable): Valid samples of each noise, int32 `(num_noises,)`.

    Raises:
        ValueError: As `BackgroundMix`, for sizes below 1, or for a bank of 2^31 samples or more.
    """

    def __init__(
        self,
        num_noises: int,
        noise_samples: int,
        snr_db: tuple[float, float] = (5.0, 20.0),
        probability: float = 1.0,
        sample_rate_hz: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(snr_db, probability, sample_rate_hz, seed=seed, **kwargs)
        if num_noises < 1 or noise_samples < 1 or num_noises * noise_samples >= 2**31:
            raise ValueError(
                "num_noises and noise_samples must be at least 1, their product below 2^31. "
                f"Received: {num_noises=}, {noise_samples=}"
            )
        self.num_noises, self.noise_samples = num_noises, noise_samples
        self.noises = self.add_weight((num_noises, noise_samples), "zeros", trainable=False, name="noises")
        self.noise_lengths = self.add_weight((num_noises,), "ones", "int32", trainable=False, name="noise_lengths")

    def fill(self, noises: Sequence[np.ndarray]) -> None:
        """Fills the bank.

        Args:
            noises: `num_noises` waveforms `(samples,)` of 1 to `noise_samples` samples.

        Raises:
            ValueError: The number of noises differs, or one of them is empty, too long, not of rank 1 or not finite.
        """
        if len(noises) != self.num_noises:
            raise ValueError(f"The bank takes {self.num_noises} noises. Received: {len(noises)}")
        bank = np.zeros((self.num_noises, self.noise_samples), "float32")
        for i, noise in enumerate(noises):
            if np.ndim(noise) != 1 or not 1 <= len(noise) <= self.noise_samples or not np.isfinite(noise).all():
                raise ValueError(
                    f"A noise must be finite, (samples,), with 1 to {self.noise_samples} samples. "
                    f"Received: shape {np.shape(noise)} at index {i}"
                )
            bank[i, : len(noise)] = noise
        self.noises.assign(bank)
        self.noise_lengths.assign(np.array([len(noise) for noise in noises], "int32"))

    def background(self, waveform: Tensor, valid_samples: Tensor) -> Tensor:
        """Draws a noise for each clip and a random start; a short noise repeats.

        Args:
            waveform: `(batch, samples)`.
            valid_samples: `(batch, 1)`, int32.

        Returns:
            `(batch, samples)`.
        """
        shape = (ops.shape(waveform)[0], 1)
        which = random_integers(shape, self.num_noises, self.seed_generator)
        length = ops.take(self.noise_lengths, which)
        # a longer noise is never cut at its end, which would put a jump into the clip
        starts = ops.where(length >= valid_samples, length - valid_samples + 1, length)
        start = random_integers(shape, starts, self.seed_generator)
        position = (start + ops.arange(ops.shape(waveform)[1], dtype="int32")[None, :]) % length
        return ops.take(ops.reshape(self.noises, (-1,)), which * self.noise_samples + position)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_noises": self.num_noises, "noise_samples": self.noise_samples}
