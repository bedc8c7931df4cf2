"""Mixing clips with background sound at a given signal-to-noise ratio."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import valid_lengths, zero_padding
from pipelines.layers.speech_level import active_level, mean_level


def mix_at_snr(
    waveform: Tensor,
    noise: Tensor,
    snr_db: Tensor,
    lengths: Tensor | None = None,
    sample_rate_hz: int | None = None,
    silence_level: Tensor | float = 0.0,
) -> Tensor:
    """Adds noise to each clip at a signal-to-noise ratio.

    With `sample_rate_hz` the ratio is that of Aurora-2 (Hirsch and Pearce 2000): the active level of the speech (ITU-T
    P.56) over the level of the noise during the whole clip, both in the telephone band (ITU-T G.712), see
    `speech_level`. Without it the ratio is that of the mean powers. A clip whose noise has no power does not change; a
    clip without power is treated as one of the level `silence_level`.

    Args:
        waveform: `(batch, samples)`.
        noise: `(batch, samples)`.
        snr_db: Ratio in decibels, a number or `(batch,)`.
        lengths: Valid samples, `(batch,)`; None is all.
        sample_rate_hz: Samples per second, or None for the ratio of mean powers.
        silence_level: Root of the mean power, a number or `(batch,)`.

    Returns:
        `(batch, samples)`; 0 in the padding.
    """
    waveform, noise = zero_padding(waveform, lengths), zero_padding(noise, lengths)
    if sample_rate_hz is None:
        samples = ops.cast(ops.maximum(valid_lengths(waveform, lengths), 1), "float32")
        signal_level, noise_level = (ops.sqrt(ops.sum(x * x, axis=1) / samples) for x in (waveform, noise))
    else:
        signal_level = active_level(waveform, lengths, sample_rate_hz)
        noise_level = mean_level(noise, lengths, sample_rate_hz)
    signal_level = ops.where(signal_level > 0, signal_level, silence_level)
    audible = noise_level > 0
    scale = signal_level / ops.where(audible, noise_level, 1.0) * 10.0 ** (-snr_db / 20.0)
    return waveform + ops.where(audible, scale, 0.0)[:, None] * noise


class BackgroundMix(RandomLayer):
    """Adds the background of a subclass to each clip, at a random ratio; only with `training=True`.

    Nothing is clipped: samples may leave [-1, 1].

    Args:
        snr_db: Lowest and highest signal-to-noise ratio, decibels, uniform; equal for a fixed ratio.
        probability: Probability that a clip is mixed.
        sample_rate_hz: Samples per second for the ratio of the active speech, or None for that of the mean powers, see
            `mix_at_snr`.
        silence_dbfs: Lowest and highest level of the speech, decibels below full scale, that the ratio assumes in
            clips without power, such as examples of silence; None leaves them as they are.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: The range of ratios is reversed, the probability is outside 0 to 1, or the sample rate is below
            1000 Hz.
    """

    def __init__(
        self,
        snr_db: tuple[float, float],
        probability: float,
        sample_rate_hz: int | None,
        silence_dbfs: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if len(snr_db) != 2 or not snr_db[0] <= snr_db[1]:
            raise ValueError(f"snr_db must be (low, high), low not above high. Received: {snr_db}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1. Received: {probability}")
        if sample_rate_hz is not None and sample_rate_hz < 1000:
            raise ValueError(f"sample_rate_hz must be at least 1000. Received: {sample_rate_hz}")
        if silence_dbfs is not None and not silence_dbfs[0] <= silence_dbfs[1]:
            raise ValueError(f"silence_dbfs must be (low, high), low not above high. Received: {silence_dbfs}")
        self.snr_db, self.probability, self.sample_rate_hz = tuple(snr_db), probability, sample_rate_hz
        self.silence_dbfs = None if silence_dbfs is None else tuple(silence_dbfs)

    def call(self, waveform: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Mixes clips with their background.

        Args:
            waveform: `(batch, samples)`.
            lengths: Valid samples, `(batch,)`; None is all.
            training: Mixes only if True; otherwise returns the waveform as it is.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        if not training:
            return waveform
        batch, seed = ops.shape(waveform)[0], self.seed_generator
        waveform = zero_padding(waveform, lengths)
        noise = self.background(waveform, valid_lengths(waveform, lengths)[:, None])
        snr_db = keras.random.uniform((batch,), *self.snr_db, seed=seed)
        chosen = keras.random.uniform((batch, 1), seed=seed) < self.probability
        level = 0.0
        if self.silence_dbfs is not None:
            level = 10.0 ** (keras.random.uniform((batch,), *self.silence_dbfs, seed=seed) / 20.0)
        noise = ops.where(chosen, noise, 0.0)
        return mix_at_snr(waveform, noise, snr_db, lengths, self.sample_rate_hz, level)

    def background(self, waveform: Tensor, valid_samples: Tensor) -> Tensor:
        """Draws the background of each clip.

        Args:
            waveform: `(batch, samples)`, 0 in the padding.
            valid_samples: `(batch, 1)`, int32.

        Returns:
            `(batch, samples)`, with arbitrary values in the padding.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("snr_db", "probability", "sample_rate_hz", "silence_dbfs")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
