"""Random rooms."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class Reverb(RandomLayer):
    """Convolves each clip with the impulse response of a random room; only with `training=True`.

    A response is the direct sound, 1 at sample 0, followed by Gaussian noise that decays by 60 dB in the reverberation
    time (the model of Polack 1988), as long as the longest reverberation time. Each clip keeps its mean power and its
    position in time; reverberation past its end is cut off. Rooms need no files.

    Args:
        t60_ms: Shortest and longest reverberation time, milliseconds, uniform, at least 10.
        direct_db: Lowest and highest ratio of direct to reverberant energy, decibels, uniform.
        probability: Probability that a clip changes.
        sample_rate_hz: Samples per second of the waveforms, at least 1000.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: A range is reversed, or an argument is outside its range.
    """

    def __init__(
        self,
        t60_ms: tuple[float, float] = (100.0, 500.0),
        direct_db: tuple[float, float] = (0.0, 15.0),
        probability: float = 0.5,
        sample_rate_hz: int = 16000,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if len(t60_ms) != 2 or not 10 <= t60_ms[0] <= t60_ms[1]:
            raise ValueError(f"t60_ms must be (low, high), 10 <= low <= high. Received: {t60_ms}")
        if len(direct_db) != 2 or not direct_db[0] <= direct_db[1]:
            raise ValueError(f"direct_db must be (low, high), low not above high. Received: {direct_db}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1. Received: {probability}")
        if sample_rate_hz < 1000:
            raise ValueError(f"sample_rate_hz must be at least 1000. Received: {sample_rate_hz}")
        self.t60_ms, self.direct_db = tuple(t60_ms), tuple(direct_db)
        self.probability, self.sample_rate_hz = probability, sample_rate_hz
        self._taps = round(t60_ms[1] * sample_rate_hz / 1000)

    def call(self, waveform: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Adds reverberation to clips.

        Args:
            waveform: `(batch, samples)` at `sample_rate_hz`.
            lengths: Valid samples, `(batch,)`; None is all.
            training: Adds reverberation only if True; otherwise returns the waveform as it is.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        if not training:
            return waveform
        batch = ops.shape(waveform)[0]
        waveform = zero_padding(waveform, lengths)
        wet = zero_padding(convolve(waveform, self.sample_responses(batch)), lengths)
        before, after = (ops.sum(x * x, axis=1, keepdims=True) for x in (waveform, wet))
        wet = wet * ops.sqrt(before / ops.where(after > 0, after, 1.0))
        chosen = keras.random.uniform((batch, 1), seed=self.seed_generator) < self.probability
        return ops.where(chosen, wet, waveform)

    def sample_responses(self, count: Tensor) -> Tensor:
        """Draws the impulse responses of random rooms.

        Args:
            count: Number of rooms, an int or a scalar tensor.

        Returns:
            `(count, taps)`, float32.
        """
        seed = self.seed_generator
        t60_ms = keras.random.uniform((count, 1), *self.t60_ms, seed=seed)
        direct_db = keras.random.uniform((count, 1), *self.direct_db, seed=seed)
        tap_ms = (np.arange(1, self._taps) * 1000 / self.sample_rate_hz).astype("float32")
        decay = 10.0 ** (-3.0 * tap_ms / t60_ms)
        tail = keras.random.normal((count, self._taps - 1), seed=seed) * decay
        tail = tail * ops.rsqrt(ops.sum(tail * tail, axis=1, keepdims=True)) * 10.0 ** (-direct_db / 20.0)
        return ops.concatenate([ops.ones((count, 1), dtype="float32"), tail], axis=1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("t60_ms", "direct_db", "probability", "sample_rate_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def convolve(waveform: Tensor, responses: Tensor) -> Tensor:
    """Convolves each clip with its impulse response.

    By FFT in blocks that overlap (overlap-add), whose length depends on the taps only: padding changes nothing.

    Args:
        waveform: `(batch, samples)`.
        responses: `(batch, taps)`, with a static number of taps.

    Returns:
        The first `samples` samples of the convolutions, `(batch, samples)`.
    """
    block = 2 ** math.ceil(math.log2(responses.shape[1]))
    batch, samples = ops.shape(waveform)
    count = samples // block + 1
    silence = ops.zeros((batch, count * block - samples), dtype="float32")
    blocks = ops.reshape(ops.concatenate([waveform, silence], axis=1), (-1, count, block))
    blocks = ops.pad(blocks, [[0, 0], [0, 0], [0, block]])
    real, imaginary = ops.rfft(blocks, fft_length=2 * block)
    responses = ops.pad(responses, [[0, 0], [0, 2 * block - responses.shape[1]]])
    response_real, response_imaginary = (x[:, None, :] for x in ops.rfft(responses, fft_length=2 * block))
    product = (
        real * response_real - imaginary * response_imaginary,
        real * response_imaginary + imaginary * response_real,
    )
    convolved = ops.irfft(product, fft_length=2 * block)
    late = ops.pad(convolved[:, :-1, block:], [[0, 0], [1, 0], [0, 0]])
    return ops.reshape(convolved[:, :, :block] + late, (-1, count * block))[:, :samples]
