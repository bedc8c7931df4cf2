"""Noise without recordings: hiss, rumble, hum, alarms."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.background import BackgroundMix
from pipelines.layers.base import Tensor
from pipelines.layers.reverb import convolve

COLOR_TAPS = 64  # of the filter that colors white noise
ENVELOPE_MS = 50.0  # between the points of the random envelope
HARMONICS = 4


@keras.saving.register_keras_serializable("pipelines")
class SyntheticNoise(BackgroundMix):
    """Adds random synthetic noise to each clip; only with `training=True`.

    A third of the clips gets colored noise, a third tones, a third both. Colored noise is white noise through a random
    FIR filter: nearly white, strongly resonant, or rumble. Tones are a fundamental and its harmonics with random
    amplitudes: half of them mains hum of 50 or 60 Hz, half a pitch from 100 Hz to a quarter of the sample rate, uniform
    on a logarithmic scale, as of an alarm. The loudness changes over time by a random depth, from steady to
    intermittent.

    Args:
        snr_db: See `BackgroundMix`.
        probability: See `BackgroundMix`.
        sample_rate_hz: Samples per second, at least 1000.
        silence_dbfs: See `BackgroundMix`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: As `BackgroundMix`.
    """

    def __init__(
        self,
        snr_db: tuple[float, float] = (5.0, 40.0),
        probability: float = 0.5,
        sample_rate_hz: int = 16000,
        silence_dbfs: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(snr_db, probability, sample_rate_hz, silence_dbfs, seed=seed, **kwargs)
        self._rate = sample_rate_hz

    def background(self, waveform: Tensor, valid_samples: Tensor) -> Tensor:
        """Draws the noise.

        Args:
            waveform: `(batch, samples)`.
            valid_samples: `(batch, 1)`, int32.

        Returns:
            `(batch, samples)`, with arbitrary values in the padding.
        """
        batch, samples = ops.shape(waveform)
        kind = keras.random.uniform((batch, 1), 0.0, 3.0, seed=self.seed_generator)
        colored, tones = self._colored(batch, samples), self._tones(batch, samples)
        noise = ops.where(kind < 2.0, colored, 0.0) + ops.where(kind > 1.0, tones, 0.0)
        return noise * self._envelope(batch, samples)

    def _colored(self, batch: Tensor, samples: Tensor) -> Tensor:
        """White noise through random filters, at mean power 1, (batch, samples)."""
        seed = self.seed_generator
        white = keras.random.normal((batch, samples), seed=seed)
        decay = keras.random.uniform((batch, 1), 0.02, 3.0, seed=seed)
        taps = keras.random.normal((batch, COLOR_TAPS), seed=seed)
        # Taps of one sign are a low-pass filter: rumble, wind.
        tilted = keras.random.uniform((batch, 1), seed=seed) < 0.4
        taps = ops.where(tilted, 1.0, taps) * ops.exp(-decay * np.arange(COLOR_TAPS, dtype="float32"))
        taps = taps * ops.rsqrt(ops.sum(taps * taps, axis=1, keepdims=True))
        return convolve(white, taps)

    def _tones(self, batch: Tensor, samples: Tensor) -> Tensor:
        """A fundamental and harmonics, at mean power 1, (batch, samples)."""
        seed, rate = self.seed_generator, self._rate
        draws = keras.random.uniform((4, batch, 1), seed=seed)
        mains = ops.where(draws[1] < 0.5, 50.0, 60.0)
        pitch = 100.0 * (rate / 4 / 100.0) ** draws[1]
        fundamental = ops.where(draws[0] < 0.5, mains, pitch)
        amplitudes = keras.random.uniform((batch, HARMONICS), seed=seed) ** 2
        seconds = (ops.cast(ops.arange(samples), "float32") / rate)[None, :]
        phase = 2 * math.pi * (draws[2] + fundamental * seconds)
        below, harmonic, twice_cosine = 0.0, ops.sin(phase), 2.0 * ops.cos(phase)
        tone: Tensor = 0.0
        for number in range(1, HARMONICS + 1):
            amplitude = amplitudes[:, number - 1 : number]
            tone = tone + ops.where(number * fundamental < rate / 2, amplitude, 0.0) * harmonic
            # sin((n + 1) x) = 2 cos(x) sin(n x) - sin((n - 1) x), which is cheaper than a sine
            below, harmonic = harmonic, twice_cosine * harmonic - below
        power = ops.mean(tone * tone, axis=1, keepdims=True)
        return tone * ops.rsqrt(ops.maximum(power, 1e-6))

    def _envelope(self, batch: Tensor, samples: Tensor) -> Tensor:
        """A loudness over time, exp of a random polygon of random depth, (batch, samples)."""
        step = round(self._rate * ENVELOPE_MS / 1000)
        points = samples // step + 2
        depth = keras.random.uniform((batch, 1), -0.5, 2.5, seed=self.seed_generator)
        depth = ops.maximum(depth, 0.0)
        heights = depth * keras.random.normal((batch, points), seed=self.seed_generator)
        part = (np.arange(step) / step).astype("float32")
        polygon = heights[:, :-1, None] * (1 - part) + heights[:, 1:, None] * part
        return ops.exp(ops.reshape(polygon, (batch, -1))[:, :samples])
