"""Random rooms."""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class Reverb(RandomLayer):
    """Plays each clip in a room of its own; only with `training=True`.

    Input: waveform (batch, samples) at `sample_rate_hz`; `lengths` (batch,), true samples, None for all.
    Output: the same shape, float32, 0 past a clip's samples, where the reverberation is cut off; each clip keeps its
    mean power and its place in time. A clip is changed with `probability`.
    A room's impulse response is the direct sound, 1 at sample 0, and after it Gaussian noise that decays by 60 dB in
    the reverberation time (the model of Polack 1988), as long as the longest reverberation time. That time is drawn
    evenly from `t60_ms` = (low, high), and the ratio of direct to reverberant energy, in decibels, from `direct_db` =
    (low, high). No room comes twice, and no file is needed.
    Raises ValueError for a range the wrong way round, a reverberation time below 10 ms, a probability outside 0 to 1,
    a sample rate below 1000 Hz.
    """

    def __init__(
        self, t60_ms=(100.0, 500.0), direct_db=(0.0, 15.0), probability=0.5, sample_rate_hz=16000, seed=None, **kwargs
    ):
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

    def call(self, waveform, lengths=None, training=None):
        """(batch, samples) and true samples (batch,) -> (batch, samples)."""
        if not training:
            return waveform
        batch = ops.shape(waveform)[0]
        waveform = true_only(waveform, lengths)
        wet = true_only(convolve(waveform, self.responses(batch)), lengths)
        before, after = (ops.sum(x * x, axis=1, keepdims=True) for x in (waveform, wet))
        wet = wet * ops.sqrt(before / ops.where(after > 0, after, 1.0))
        chosen = keras.random.uniform((batch, 1), seed=self.seed_generator) < self.probability
        return ops.where(chosen, wet, waveform)

    def responses(self, count):
        """Impulse responses of random rooms, (count, taps), float32."""
        seed = self.seed_generator
        t60_ms = keras.random.uniform((count, 1), *self.t60_ms, seed=seed)
        direct_db = keras.random.uniform((count, 1), *self.direct_db, seed=seed)
        tap_ms = (np.arange(1, self._taps) * 1000 / self.sample_rate_hz).astype("float32")
        decay = 10.0 ** (-3.0 * tap_ms / t60_ms)
        tail = keras.random.normal((count, self._taps - 1), seed=seed) * decay
        tail = tail * ops.rsqrt(ops.sum(tail * tail, axis=1, keepdims=True)) * 10.0 ** (-direct_db / 20.0)
        return ops.concatenate([ops.ones((count, 1), dtype="float32"), tail], axis=1)

    def compute_output_shape(self, waveform_shape):
        """The input's shape."""
        return tuple(waveform_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = ("t60_ms", "direct_db", "probability", "sample_rate_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def convolve(waveform, responses):
    """Each clip (batch, samples) with its impulse response (batch, taps), the first `samples` samples of it.

    By FFT in blocks that overlap (overlap-add), whose length the taps alone decide: padding changes nothing.
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
    played = ops.irfft(product, fft_length=2 * block)
    late = ops.pad(played[:, :-1, block:], [[0, 0], [1, 0], [0, 0]])
    return ops.reshape(played[:, :, :block] + late, (-1, count * block))[:, :samples]
