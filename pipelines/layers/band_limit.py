"""The band of a telephone or of a small microphone."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.reverb import convolve
from pipelines.layers.sequences import zero_padding

TAPS = 129  # of the filter; odd, so that its delay is a whole number of samples
MU = 255.0  # of the mu-law of ITU-T G.711


@keras.saving.register_keras_serializable("pipelines")
class BandLimit(RandomLayer):
    """Limits clips to a random band, and rounds half of these to 8 bits of mu-law; only with `training=True`.

    The filter is a difference of two low-pass filters, each a sinc through a Hamming window of 129 taps, without delay.
    Mu-law is that of ITU-T G.711: 255 steps of a logarithmic scale.

    Args:
        low_hz: Lowest and highest lower edge, hertz, uniform.
        high_hz: Lowest and highest upper edge, hertz, uniform; at most half the sample rate counts.
        probability: Probability that a clip changes.
        sample_rate_hz: Samples per second of the waveforms, at least 1000.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: A range is reversed, or the bands overlap, or the probability is outside 0 to 1.
    """

    def __init__(
        self,
        low_hz: tuple[float, float] = (50.0, 400.0),
        high_hz: tuple[float, float] = (2500.0, 4000.0),
        probability: float = 0.5,
        sample_rate_hz: int = 16000,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if not 0 <= low_hz[0] <= low_hz[1] < high_hz[0] <= high_hz[1]:
            raise ValueError(f"Must hold: 0 <= low_hz < high_hz, both ascending. Received: {low_hz=}, {high_hz=}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1. Received: {probability}")
        if sample_rate_hz < 1000:
            raise ValueError(f"sample_rate_hz must be at least 1000. Received: {sample_rate_hz}")
        self.low_hz, self.high_hz = tuple(low_hz), tuple(high_hz)
        self.probability, self.sample_rate_hz = probability, sample_rate_hz

    def call(self, waveform: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Filters clips.

        Args:
            waveform: `(batch, samples)` at `sample_rate_hz`.
            lengths: Valid samples, `(batch,)`; None is all.
            training: Filters only if True; otherwise returns the waveform as it is.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        if not training:
            return waveform
        batch, seed = ops.shape(waveform)[0], self.seed_generator
        waveform = zero_padding(waveform, lengths)
        low = keras.random.uniform((batch, 1), *self.low_hz, seed=seed)
        high = ops.minimum(keras.random.uniform((batch, 1), *self.high_hz, seed=seed), self.sample_rate_hz / 2)
        delay = TAPS // 2
        filtered = convolve(ops.pad(waveform, [[0, 0], [0, delay]]), self._low_pass(high) - self._low_pass(low))
        filtered = filtered[:, delay:]
        draws = keras.random.uniform((2, batch, 1), seed=seed)
        filtered = ops.where(draws[0] < 0.5, mu_law(filtered), filtered)
        return zero_padding(ops.where(draws[1] < self.probability, filtered, waveform), lengths)

    def _low_pass(self, edge_hz: Tensor) -> Tensor:
        """Filters (batch, TAPS) that keep what is below edges (batch, 1)."""
        n = np.arange(TAPS, dtype="float32") - TAPS // 2
        window = np.hamming(TAPS).astype("float32")
        # the middle is the limit of the quotient
        safe = np.where(n == 0, 1.0, n).astype("float32")
        cutoff = edge_hz / self.sample_rate_hz
        taps = ops.where(n == 0, 2.0 * cutoff, ops.sin(2.0 * np.pi * cutoff * n) / (np.pi * safe))
        return taps * window

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("low_hz", "high_hz", "probability", "sample_rate_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def mu_law(waveform: Tensor) -> Tensor:
    """Rounds samples to 8 bits on the logarithmic scale of ITU-T G.711.

    Args:
        waveform: Any shape; what is beyond [-1, 1] is clipped.

    Returns:
        The same shape.
    """
    waveform = ops.clip(waveform, -1.0, 1.0)
    compressed = ops.log1p(MU * ops.abs(waveform)) / np.log1p(MU)
    rounded = ops.round(compressed * 127.0) / 127.0
    return ops.sign(waveform) * ops.expm1(rounded * np.log1p(MU)) / MU
