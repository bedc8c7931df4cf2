"""Noise from a bank of recordings."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.background import BackgroundMix
from pipelines.layers.base import Tensor
from pipelines.layers.sequences import random_integers

_PIECE_SAMPLES = 2**20


def _joined(noises: Iterable[np.ndarray]) -> tuple[Tensor, list[int]]:
    """The noises one after the other, and their lengths.

    Short pieces become tensors one by one: a conversion holds three copies for a moment.
    """
    pieces: list[Tensor] = []
    lengths: list[int] = []
    for noise in noises:
        if np.ndim(noise) != 1 or not len(noise) or not np.isfinite(noise).all():
            raise ValueError(
                "A noise must be finite, (samples,), with 1 sample or more. "
                f"Received: shape {np.shape(noise)} at index {len(lengths)}"
            )
        starts = range(0, len(noise), _PIECE_SAMPLES)
        pieces += [ops.convert_to_tensor(noise[start : start + _PIECE_SAMPLES], "float32") for start in starts]
        lengths.append(len(noise))
    if not lengths:
        raise ValueError("At least one noise is needed. Received: none")
    return ops.concatenate(pieces), lengths


@keras.saving.register_keras_serializable("pipelines")
class NoiseMix(BackgroundMix):
    """Adds to each clip a random piece of a random noise at a random signal-to-noise ratio; only with `training=True`.

    Input: waveform `(batch, samples)`; `lengths` `(batch,)`, true samples, None for all.
    Output: the same shape, float32; 0 past a clip's samples. Nothing is clipped or renormalized: samples may leave
    [-1, 1]. The ratio is that of the mean powers over the clip's true samples or, with a sample rate, that of the
    active speech, see `mix_at_snr`. A noise shorter than its clip is repeated from a random start. Where the clip or
    the piece of noise has no power nothing changes.

    The noises live one after the other in a non-trainable weight, on the model's device and in its weights file; until
    `fill` they are silent. Each noise is as likely as any other, whatever its length.

    Args:
        num_noises: Number of noises.
        bank_samples: Samples of all noises together, at most.
        snr_db: As `BackgroundMix` takes it.
        probability: As `BackgroundMix` takes it.
        sample_rate_hz: As `BackgroundMix` takes it.
        seed: As `BackgroundMix` takes it.
        **kwargs: Of `keras.layers.Layer`.

    Attributes:
        saves_noises: Whether weights files hold the noises. Where a program reads them from their own files at each
            start, False saves memory and disk; a weights file then holds their lengths only.

    Raises:
        ValueError: As `BackgroundMix` raises it; a size is below 1, or the bank has 2^31 samples or more.
    """

    def __init__(
        self,
        num_noises: int,
        bank_samples: int,
        snr_db: tuple[float, float] = (5.0, 20.0),
        probability: float = 1.0,
        sample_rate_hz: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(snr_db, probability, sample_rate_hz, seed=seed, **kwargs)
        if num_noises < 1 or not 1 <= bank_samples < 2**31:
            raise ValueError(
                "num_noises and bank_samples must be at least 1, bank_samples below 2^31. "
                f"Received: {num_noises=}, {bank_samples=}"
            )
        self.num_noises, self.bank_samples, self.saves_noises = num_noises, bank_samples, True
        self.noises = self.add_weight((bank_samples,), "zeros", trainable=False, name="noises")
        self.noise_starts = self.add_weight((num_noises,), "zeros", "int32", trainable=False, name="noise_starts")
        self.noise_lengths = self.add_weight((num_noises,), "ones", "int32", trainable=False, name="noise_lengths")

    @classmethod
    def from_noises(cls, noises: Iterable[np.ndarray], **options: Any) -> "NoiseMix":
        """Builds a layer with its noises; the peak memory is twice that of the noises.

        Args:
            noises: float32 `(samples,)` each, at least one.
            **options: Of the constructor, but for the sizes.

        Returns:
            The layer.

        Raises:
            ValueError: A noise is empty, not flat or not finite.
        """
        bank, lengths = _joined(noises)
        layer = cls(len(lengths), sum(lengths), **options)
        layer._assign(bank, lengths)
        return layer

    def fill(self, noises: Iterable[np.ndarray]) -> None:
        """Puts `num_noises` waveforms into the bank.

        Args:
            noises: float32 `(samples,)` each, at most `bank_samples` together.

        Raises:
            ValueError: Another number of noises, too many samples, or a noise that is empty, not flat or not finite.
        """
        bank, lengths = _joined(noises)
        if len(lengths) != self.num_noises or sum(lengths) > self.bank_samples:
            raise ValueError(
                f"The bank takes {self.num_noises} noises of {self.bank_samples} samples together. "
                f"Received: {len(lengths)} noises of {sum(lengths)} samples"
            )
        self._assign(ops.pad(bank, [[0, self.bank_samples - sum(lengths)]]), lengths)

    def save_own_variables(self, store: Any) -> None:
        """Saves the noises, or their lengths, see `saves_noises`."""
        if self.saves_noises:
            super().save_own_variables(store)
        else:
            store["noise_lengths"] = ops.convert_to_numpy(self.noise_lengths)

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved.

        Raises:
            ValueError: The store holds lengths only, and those of this layer's noises are others.
        """
        if "noise_lengths" not in store:
            super().load_own_variables(store)
        elif not np.array_equal(store["noise_lengths"], ops.convert_to_numpy(self.noise_lengths)):
            raise ValueError("The noises have changed since these weights were saved: their number or lengths differ.")

    def _assign(self, bank: Tensor, lengths: Sequence[int]) -> None:
        self.noises.assign(bank)
        self.noise_starts.assign(np.cumsum([0, *lengths[:-1]]).astype("int32"))
        self.noise_lengths.assign(np.array(lengths, "int32"))

    def background(self, waveform: Tensor, valid_samples: Tensor) -> Tensor:
        """Returns a random noise's samples `(batch, samples)` from a random start; after its end it starts again."""
        shape = (ops.shape(waveform)[0], 1)
        which = random_integers(shape, self.num_noises, self.seed_generator)
        length = ops.take(self.noise_lengths, which)
        # A longer noise is never cut at its end, which would put a jump into the clip.
        starts = ops.where(length >= valid_samples, length - valid_samples + 1, length)
        start = random_integers(shape, starts, self.seed_generator)
        position = (start + ops.arange(ops.shape(waveform)[1], dtype="int32")[None, :]) % length
        return ops.take(self.noises, ops.take(self.noise_starts, which) + position)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_noises": self.num_noises, "bank_samples": self.bank_samples}
