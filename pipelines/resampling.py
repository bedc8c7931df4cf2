"""Waveforms at another rate: a polyphase low-pass filter with a Kaiser window, without delay, as SciPy designs it."""

import functools
import math

import numpy as np

ZERO_CROSSINGS = 10  # of the filter on either side, at the lower of the two rates
KAISER_BETA = 5.0


def resample_array(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resamples a waveform by SciPy's `resample_poly`.

    Args:
        waveform: float32 `(samples,)` in [-1, 1].
        from_hz: Its rate.
        to_hz: The rate to convert to.

    Returns:
        float32 `(ceil(samples * to_hz / from_hz),)` in [-1, 1].
    """
    from_hz, to_hz = int(from_hz), int(to_hz)
    if from_hz == to_hz or len(waveform) == 0:
        return waveform
    # A steep low-pass rings, and so may exceed 1 where the original reaches it.
    return np.clip(_filtered(waveform.astype(np.float32), *_ratio(from_hz, to_hz)), -1, 1)


class Resampler:
    """Resamples a waveform that arrives in blocks; the results joined are those of `resample_array`.

    Args:
        from_hz: The rate of the blocks.
        to_hz: The rate to convert to.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._up, self._down = _ratio(from_hz, to_hz)
        # Samples on either side that a result depends on; a block begins where the phase of the filter is 0.
        self._reach = -(-ZERO_CROSSINGS * max(self._up, self._down) // self._up)
        self._context = -(-self._reach // self._down) * self._down
        self._kept: list[np.ndarray] = []
        self._kept_samples = self._done = 0  # of the kept samples, those of which the results are known

    def feed(self, block: np.ndarray) -> np.ndarray:
        """Takes the next samples.

        Args:
            block: float32 `(samples,)` or `(samples, channels)`, any number.

        Returns:
            float32 of the same rank: the results that have become known, in [-1, 1].
        """
        if self._up == self._down:
            return block
        self._kept.append(block)
        self._kept_samples += len(block)
        done = (self._kept_samples - self._reach - 1) // self._down * self._down
        if done <= self._done:
            return block[:0]
        samples = np.concatenate(self._kept)
        results = self._results(samples[: done + self._reach + 1])[: (done - self._done) * self._up // self._down]
        dropped = max(0, done - self._context)
        self._kept, self._kept_samples, self._done = [samples[dropped:]], len(samples) - dropped, done - dropped
        return results

    def end(self) -> np.ndarray:
        """Returns the results that the end of the waveform makes known; the next block begins another waveform."""
        if not self._kept:
            return np.zeros(0, np.float32)
        results = self._results(np.concatenate(self._kept))
        self._kept, self._kept_samples, self._done = [], 0, 0
        return results

    def _results(self, samples: np.ndarray) -> np.ndarray:
        """The results after those of the first `_done` kept samples, clipped."""
        return np.clip(_filtered(samples, self._up, self._down)[self._done * self._up // self._down :], -1, 1)


def _filtered(samples: np.ndarray, up: int, down: int) -> np.ndarray:
    from scipy.signal import resample_poly  # slow to import

    return resample_poly(samples, up, down, window=_low_pass(up, down)).astype(np.float32, copy=False)


@functools.lru_cache(maxsize=8)
def _low_pass(up: int, down: int) -> np.ndarray:
    """The filter that `resample_poly` designs by default, which takes longer than to resample a second of sound."""
    from scipy.signal import firwin

    factor = max(up, down)
    taps = 2 * ZERO_CROSSINGS * factor + 1
    return firwin(taps, 1 / factor, window=("kaiser", KAISER_BETA)).astype(np.float32)


def _ratio(from_hz: int, to_hz: int) -> tuple[int, int]:
    common = math.gcd(from_hz, to_hz)
    return to_hz // common, from_hz // common
