"""The active speech level of ITU-T P.56, in the telephone band of ITU-T G.712.

Block by block instead of sample by sample, so that it costs next to nothing inside a training step. A clip's level
depends on its own valid samples only.
"""

import math

import numpy as np
from keras import ops

from pipelines.layers.base import Tensor
from pipelines.layers.sequences import sequence_mask, valid_lengths, zero_padding

BLOCK_MS = 8.0
WINDOW_BLOCKS = 4  # at a quarter of its length, the squares of a Hann window add up to a constant: 1.5
TIME_CONSTANT_MS = 30.0
HANGOVER_MS = 200.0
MARGIN_DB = 15.9
THRESHOLD_STEP_DB = 2.0
THRESHOLDS = 17  # the last is 32 dB above the first, enough for speech in one part of 1500
MEAN_OF_RMS = math.sqrt(2 / math.pi)  # of the absolute values of Gaussian samples


def mean_level(waveform: Tensor, lengths: Tensor | None = None, sample_rate_hz: int = 16000) -> Tensor:
    """Computes the root of the mean power in the telephone band, over the whole clip.

    Args:
        waveform: `(batch, samples)`.
        lengths: Valid samples, `(batch,)`; None is all.
        sample_rate_hz: Samples per second.

    Returns:
        `(batch,)`, float32; 0 for a clip without samples.

    Raises:
        ValueError: The sample rate is below 1000 Hz, which leaves too little of the band.
    """
    return _mean_level(_band_powers(waveform, lengths, sample_rate_hz), waveform, lengths, sample_rate_hz)


def active_level(waveform: Tensor, lengths: Tensor | None = None, sample_rate_hz: int = 16000) -> Tensor:
    """Computes the root of the mean power in the telephone band during speech (ITU-T P.56, 12/2011, method B).

    The envelope is the rectified signal through two exponential smoothers of 30 ms. A moment is active while the
    envelope is above a threshold and for 200 ms after. The level is the energy over the active time, for the threshold
    15.9 dB below that level, interpolated between thresholds in decibels.

    Departures from the standard: the band-pass, as Aurora-2 measures it (Hirsch and Pearce 2000); blocks of 8 ms, whose
    mean absolute value is sqrt(2 / pi) of their root mean square, as of Gaussian samples; thresholds 2 dB apart,
    starting 15.9 dB below the mean level, instead of 6.02 dB apart from full scale, so that a gain changes nothing; a
    block within half a decibel of a threshold counts in part, so that rounding changes nothing. A clip that never
    becomes active, for instance of a few milliseconds, has the mean level.

    Args:
        waveform: `(batch, samples)`.
        lengths: Valid samples, `(batch,)`; None is all.
        sample_rate_hz: Samples per second.

    Returns:
        `(batch,)`, float32; 0 for silence.

    Raises:
        ValueError: The sample rate is below 1000 Hz, which leaves too little of the band.
    """
    powers = _band_powers(waveform, lengths, sample_rate_hz)
    mean = _mean_level(powers, waveform, lengths, sample_rate_hz)
    envelope = _envelope(powers)
    relative_db = _decibels(envelope / ops.where(mean > 0, mean, 1.0)[:, None])
    inside = _inside(powers, waveform, lengths, sample_rate_hz)
    # relative to the mean level, as all levels below
    threshold_db = THRESHOLD_STEP_DB * np.arange(THRESHOLDS, dtype="float32") - MARGIN_DB
    above = ops.clip(relative_db[:, :, None] - threshold_db + 0.5, 0.0, 1.0)
    active = ops.sum(ops.where(inside[:, :, None], above, 0.0), axis=1)
    blocks = ops.sum(ops.cast(inside, "float32"), axis=1, keepdims=True)
    # less than half a block counts as inactive
    active_db = 10.0 * ops.log10(ops.maximum(blocks, 1.0) / ops.maximum(active, 0.5))
    return mean * 10.0 ** (_crossing(active_db, active_db - threshold_db - MARGIN_DB, active >= 0.5) / 20.0)


def _crossing(level_db: Tensor, excess_db: Tensor, active: Tensor) -> Tensor:
    """The level (batch,) where the excess over the margin first falls to 0; arguments are (batch, thresholds)."""
    past = ops.logical_or(excess_db <= 0, ops.logical_not(active))
    # the last threshold before that one; the first is never past unless nothing is active
    before = ops.cumprod(ops.cast(ops.logical_not(past), "float32"), axis=1)
    at = ops.maximum(ops.cast(ops.sum(before, axis=1, keepdims=True), "int32") - 1, 0)
    after = ops.minimum(at + 1, THRESHOLDS - 1)
    low, high = (ops.take_along_axis(level_db, i, axis=1) for i in (at, after))
    low_excess, high_excess = (ops.take_along_axis(excess_db, i, axis=1) for i in (at, after))
    falls = ops.logical_and(ops.take_along_axis(active, after, axis=1), high_excess < low_excess)
    share = ops.clip(low_excess / ops.where(falls, low_excess - high_excess, 1.0), 0.0, 1.0)
    crossing = low + ops.where(falls, share, 0.0) * (high - low)
    return ops.where(active[:, 0], crossing[:, 0], 0.0)


def _envelope(powers: Tensor) -> Tensor:
    """Block powers (batch, blocks) -> the smoothed envelope, each value held for the hangover, (batch, blocks)."""
    decay = math.exp(-BLOCK_MS / TIME_CONSTANT_MS)
    taps = np.arange(64)  # half a second, after which 1e-7 is left
    response = ((1 - decay) ** 2 * (taps + 1) * decay**taps).astype("float32")
    rectified = ops.pad(MEAN_OF_RMS * ops.sqrt(powers), [[0, 0], [len(taps) - 1, 0]])[:, :, None]
    smooth = ops.conv(rectified, response[::-1, None, None], padding="valid")
    hangover = round(HANGOVER_MS / BLOCK_MS)
    smooth = ops.pad(smooth, [[0, 0], [hangover, 0], [0, 0]])
    return ops.max_pool(smooth, hangover + 1, strides=1, padding="valid")[:, :, 0]


def _band_powers(waveform: Tensor, lengths: Tensor | None, sample_rate_hz: int) -> Tensor:
    """Mean powers in the band around each block's start, beginning one block before the clip, (batch, blocks)."""
    block = _block_samples(sample_rate_hz)
    batch, samples = ops.shape(waveform)[:2]
    count = samples // block + WINDOW_BLOCKS  # so that all samples lie in the same number of windows
    silence = ops.zeros((batch, (WINDOW_BLOCKS - 1) * block), dtype="float32")
    after = ops.zeros((batch, count * block - samples), dtype="float32")
    signal = ops.concatenate([silence, zero_padding(waveform, lengths), after], axis=1)
    blocks = ops.reshape(signal, (-1, count + WINDOW_BLOCKS - 1, block))
    windows = ops.concatenate([blocks[:, i : i + count] for i in range(WINDOW_BLOCKS)], axis=2)
    window = WINDOW_BLOCKS * block
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype("float32")
    real, imaginary = ops.rfft(windows * hann, fft_length=window)
    weights = _telephone_band(window, sample_rate_hz) / (np.sum(hann**2) * window)
    return ops.sum((real * real + imaginary * imaginary) * weights.astype("float32"), axis=2)


def _telephone_band(fft_length: int, sample_rate_hz: int) -> np.ndarray:
    """Weights of the power in each FFT bin, both halves of the spectrum in one, (fft_length // 2 + 1,).

    Approximates G.712: 1 from 300 to 3,400 Hz, 0 below 200 and above 4,000 Hz, half a cosine between.
    """
    hz = np.arange(fft_length // 2 + 1) * sample_rate_hz / fft_length
    inside = np.clip(np.minimum((hz - 200) / 100, (4000 - hz) / 600), 0, 1)
    sides = np.full(len(hz), 2.0)
    sides[0] = 1.0
    if fft_length % 2 == 0:
        sides[-1] = 1.0
    return sides * (0.5 - 0.5 * np.cos(np.pi * inside))


def _mean_level(powers: Tensor, waveform: Tensor, lengths: Tensor | None, sample_rate_hz: int) -> Tensor:
    """`mean_level` from the powers in the band."""
    samples = ops.cast(ops.maximum(valid_lengths(waveform, lengths), 1), "float32")
    return ops.sqrt(ops.sum(powers, axis=1) * _block_samples(sample_rate_hz) / samples)


def _inside(powers: Tensor, waveform: Tensor, lengths: Tensor | None, sample_rate_hz: int) -> Tensor:
    """(batch, blocks) booleans: the windows whose middle lies in the clip."""
    block = _block_samples(sample_rate_hz)
    blocks = (valid_lengths(waveform, lengths) + block - 1) // block
    inside = sequence_mask(blocks, ops.shape(powers)[1] - 1)
    return ops.pad(inside, [[0, 0], [1, 0]])


def _block_samples(sample_rate_hz: int) -> int:
    """Samples of a block; raises ValueError for a sample rate below 1000 Hz."""
    if sample_rate_hz < 1000:
        raise ValueError(f"sample_rate_hz must be at least 1000. Received: {sample_rate_hz}")
    return round(BLOCK_MS * sample_rate_hz / 1000)


def _decibels(amplitude: Tensor) -> Tensor:
    """Amplitudes in decibels, at least -200."""
    return 20.0 * ops.log10(ops.maximum(amplitude, 1e-10))
