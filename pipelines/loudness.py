"""Samples of several channels to one waveform, and what is wrong with the loudness of a recording."""

from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.audio_formats.names import as_text, shown
from pipelines.errors import UserError

Tensor = Any

SILENT = 1e-4  # a clip without a louder sample, 80 dB below full scale, is silent
CLIPPED = 0.999  # of full scale
CLIPPED_FRACTION = 0.001  # of the samples of a clip, at least
MAX_PEAK = 8.0  # floating-point samples up to here are clipped to [-1, 1]; louder ones are on another scale
CANCELLATION_DB = 20.0  # channels whose mean is further below the loudest of them are not averaged

AVERAGE = -1  # of all channels
AUTOMATIC = -2  # AVERAGE, but the loudest channel where the channels cancel each other
ONLY = -3  # the channel of a file that has one
_SIDES = {"average": AUTOMATIC, "left": 0, "right": 1}

# What integers of 8, 16, 24 and 32 bits are divided by.
_FULL_SCALES = (2**7, 2**15, 2**23, 2**31)


def channel_number(name: str) -> int:
    """Which channel a setting names.

    >>> [channel_number(name) for name in ("average", "left", "right", "0", "3")]
    [-2, 0, 1, 0, 3]

    Args:
        name: "average", "left", "right", or the number of a channel from 0.

    Returns:
        The number of the channel; AUTOMATIC for "average".

    Raises:
        UserError: It names no channel.
    """
    if name in _SIDES:
        return _SIDES[name]
    if name.isdecimal() and name.isascii():
        return int(name)
    raise UserError(f"data.audio_channel must be average, left, right or a number from 0. Received: {name!r}.")


def too_loud(path: str, peak: float) -> UserError:
    """Builds the error about floating-point samples on the scale of integers; it names the likely factor."""
    factor = next((scale for scale in _FULL_SCALES if peak <= 2 * scale), _FULL_SCALES[-1])
    return UserError(
        f"{shown(path)} holds samples up to {peak:,.0f} instead of 1: divide them by {factor:,}, which is probably"
        " the full scale of the integers that they were."
    )


def not_finite(path: str) -> UserError:
    """Builds the error about samples that are no numbers."""
    return UserError(f"{shown(path)} holds samples that are NaN or infinite: export it again.")


def cancels(mean_power: float | Tensor, loudest_power: float | Tensor) -> bool | Tensor:
    """Whether the mean of channels loses more than CANCELLATION_DB against the loudest of them."""
    return mean_power * 10.0 ** (CANCELLATION_DB / 10.0) < loudest_power


def choose_channel(frames: Tensor) -> Tensor:
    """Decides in a graph how the channels of a recording become one.

    Args:
        frames: float32 `(samples, channels)`.

    Returns:
        An int32 scalar: AVERAGE, or the number of the loudest channel where the channels cancel each other.
    """
    return tf.cond(tf.shape(frames)[1] > 1, lambda: _compared(frames)[0], lambda: tf.constant(AVERAGE))


def mix(frames: Tensor, channel: int | Tensor) -> Tensor:
    """Makes one waveform of several channels, in a graph.

    Args:
        frames: float32 `(samples, channels)`.
        channel: AUTOMATIC, AVERAGE, ONLY or the number of a channel; an int32 scalar, one of these but for ONLY, where
            it differs between files.

    Returns:
        float32 `(samples,)`.
    """

    def chosen() -> Tensor:
        number, average = _compared(frames)
        return tf.cond(number == AVERAGE, lambda: average, lambda: frames[:, number])

    if not isinstance(channel, int):
        branches = [lambda: mix(frames, AUTOMATIC), lambda: _average(frames), lambda: frames[:, channel]]
        return tf.switch_case(tf.minimum(channel, 0) - AUTOMATIC, branches)
    if channel == ONLY:
        return tf.squeeze(frames, axis=-1)
    if channel == AUTOMATIC:
        return tf.cond(tf.shape(frames)[1] > 1, chosen, lambda: frames[:, 0])
    return _average(frames) if channel == AVERAGE else frames[:, channel]


def measure(waveform: Tensor) -> Tensor:
    """Measures a clip in a graph.

    Args:
        waveform: float32 `(samples,)` in [-1, 1].

    Returns:
        float32 `(3,)`: the number of samples, the highest absolute value, and the fraction of samples at or above
        CLIPPED.
    """
    samples = tf.size(waveform)
    highest = tf.maximum(tf.reduce_max(waveform), -tf.reduce_min(waveform))
    peak = tf.where(samples > 0, highest, 0.0)
    clipped = tf.cond(
        peak >= CLIPPED,
        lambda: tf.reduce_mean(tf.cast(tf.abs(waveform) >= CLIPPED, tf.float32)),
        lambda: tf.constant(0.0),
    )
    return tf.stack([tf.cast(samples, tf.float32), peak, clipped])


def bounded(path: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Clips floating-point samples to [-1, 1], in a graph.

    Args:
        path: String scalar, for the error.
        frames: float32 `(samples, channels)`.

    Returns:
        (the same shape, the highest absolute value before).

    Raises:
        tf.errors.OpError: When it runs: a sample is NaN or infinite, or above MAX_PEAK; with the sentence of a
            UserError.
    """

    def refused() -> Tensor:
        return tf.ensure_shape(tf.numpy_function(_refuse, [path, frames], tf.float32), (None, None))

    # In the highest value of some reductions NaN is lost, and not in a sum.
    peak = tf.maximum(tf.reduce_max(frames), -tf.reduce_min(frames))
    is_acceptable = (peak <= MAX_PEAK) & tf.math.is_finite(tf.reduce_sum(frames))
    return tf.cond(is_acceptable, lambda: tf.clip_by_value(frames, -1.0, 1.0), refused), peak


def check(path: str, frames: np.ndarray) -> None:
    """Checks samples as `bounded` does.

    Raises:
        UserError: A sample is NaN or infinite, or above MAX_PEAK.
    """
    if not np.isfinite(frames).all():
        raise not_finite(path)
    if (peak := float(np.abs(frames).max(initial=0))) > MAX_PEAK:
        raise too_loud(path, peak)


def _average(frames: Tensor) -> Tensor:
    """The mean of the channels; TensorFlow's is slow for two of them, and free for one."""
    return tf.cond(
        tf.shape(frames)[1] == 2,
        lambda: (frames[:, 0] + frames[:, 1]) * 0.5,
        lambda: tf.reduce_mean(frames, axis=-1),
    )


def _compared(frames: Tensor) -> tuple[Tensor, Tensor]:
    """(what `choose_channel` returns for two channels or more, their mean)."""

    def of_two() -> tuple[Tensor, Tensor]:
        left, right = frames[:, 0], frames[:, 1]
        return (left + right) * 0.5, tf.stack([tf.reduce_sum(left * left), tf.reduce_sum(right * right)])

    def of_several() -> tuple[Tensor, Tensor]:
        return tf.reduce_mean(frames, axis=-1), tf.reduce_sum(frames * frames, axis=0)

    average, powers = tf.cond(tf.shape(frames)[1] == 2, of_two, of_several)
    loudest = tf.argmax(powers, output_type=tf.int32)
    number = tf.where(cancels(tf.reduce_sum(average * average), tf.reduce_max(powers)), loudest, AVERAGE)
    return number, average


def _refuse(path: bytes | np.ndarray, frames: np.ndarray) -> np.ndarray:
    check(as_text(path), frames)
    return frames
