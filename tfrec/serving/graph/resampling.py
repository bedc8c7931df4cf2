"""Waveforms at another rate inside a graph, equal to `pipelines.resampling` for any pair of rates."""

import math
from typing import Any

import tensorflow as tf

from pipelines.resampling import KAISER_BETA, ZERO_CROSSINGS

Tensor = Any

_MAX_MATRIX = 4_000_000  # coefficients of the product below; rates with a small common divisor need more
_BLOCK = 2**16  # results that are computed at once for those


def resample(waveform: Tensor, from_hz: Tensor, to_hz: int) -> Tensor:
    """Resamples a waveform by a polyphase low-pass filter.

    Args:
        waveform: float32 `(samples,)` in [-1, 1].
        from_hz: Its rate, an int64 scalar of at least 1.
        to_hz: The rate to convert to.

    Returns:
        float32 `(ceil(samples * to_hz / from_hz),)` in [-1, 1].
    """
    same = tf.equal(from_hz, to_hz) | tf.equal(tf.size(waveform), 0)
    return tf.ensure_shape(tf.cond(same, lambda: waveform, lambda: _resampled(waveform, from_hz, to_hz)), [None])


def length(samples: Tensor, from_hz: Tensor, to_hz: int) -> Tensor:
    """The number of samples after `resample`, int64, of as many before it; of any shape."""
    return (samples * to_hz + from_hz - 1) // tf.maximum(from_hz, 1)


def design_cost(from_hz: Tensor, to_hz: int) -> tuple[Tensor, Tensor]:
    """What a pair of rates costs: int64, of the shape of `from_hz`.

    Returns:
        The coefficients of the filter, and for each result the products that cannot be computed in large matrices; both
        are 0 for the rates of usual recordings.
    """
    divisor = tf.maximum(_common_divisor(from_hz, to_hz), 1)
    up, down = to_hz // divisor, tf.maximum(from_hz // divisor, 1)
    reach = _reach(up, down)
    is_odd = tf.logical_not(_fits(up, down, reach))
    return tf.where(is_odd, 2 * ZERO_CROSSINGS * tf.maximum(up, down), 0), tf.where(is_odd, 2 * reach + 1, 0)


def _reach(up: Tensor, down: Tensor) -> Tensor:
    """Samples on either side that a result may depend on."""
    return (ZERO_CROSSINGS * tf.maximum(up, down)) // up + 1


def _fits(up: Tensor, down: Tensor, reach: Tensor) -> Tensor:
    """Whether the matrix of `_by_product` is small."""
    return up * (2 * reach + down) * (1 + 2 * reach // down) <= _MAX_MATRIX


def _resampled(waveform: Tensor, from_hz: Tensor, to_hz: int) -> Tensor:
    divisor = _common_divisor(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    # Result m is the sum over i of phases[m * down % up, i] * x[m * down // up + reach - i].
    reach = _reach(up, down)
    phases = _phases(up, down, reach)
    count = length(tf.size(waveform, tf.int64), from_hz, to_hz)
    results = tf.cond(
        _fits(up, down, reach),
        lambda: _by_product(waveform, phases, up, down, reach, count),
        lambda: _by_blocks(waveform, phases, up, down, reach, count),
    )
    return tf.clip_by_value(results, -1.0, 1.0)


def _phases(up: Tensor, down: Tensor, reach: Tensor) -> Tensor:
    """The low-pass filter of SciPy's `resample_poly`, `(up, 2 * reach + 1)`: row p for results of phase p."""
    factor = tf.maximum(up, down)
    half = ZERO_CROSSINGS * factor
    x = tf.cast(tf.range(half + 1), tf.float32)  # the filter is even: one side of it is computed
    cutoff = 1 / tf.cast(factor, tf.float32)
    angle = math.pi * cutoff * x
    sinc = tf.where(x == 0, 1.0, tf.math.divide_no_nan(tf.sin(angle), angle))
    root = KAISER_BETA * tf.sqrt(tf.maximum(1 - tf.square(x / tf.cast(half, tf.float32)), 0))
    side = sinc * tf.exp(root) * tf.math.bessel_i0e(root)
    total = 2 * tf.reduce_sum(tf.cast(side, tf.float64)) - tf.cast(side[0], tf.float64)
    side *= tf.cast(tf.cast(up, tf.float64) / total, tf.float32)
    taps = tf.concat([side[:0:-1], side], axis=0)
    # Tap p + (i - reach) * up, counted from the middle, weighs what lies reach - i samples before.
    before = reach * up - half
    padded = tf.pad(taps, [[before, (reach + 1) * up - half - 1]])
    return tf.transpose(tf.reshape(padded, tf.stack([2 * reach + 1, up])))


def _by_product(waveform: Tensor, phases: Tensor, up: Tensor, down: Tensor, reach: Tensor, count: Tensor) -> Tensor:
    """The results of a period use samples one period apart: one product of a matrix with all periods."""
    repeated = (2 * reach + down - 1) // down  # so that the samples of neighboring periods overlap little
    up, down, ratio = up * repeated, down * repeated, up
    width = 2 * reach + down
    periods = (count + up - 1) // up
    needed = (periods - 1) * down + width
    x = tf.pad(waveform, [[reach, tf.maximum(needed - reach - tf.size(waveform, tf.int64), 0)]])[:needed]
    frames = tf.signal.frame(x, tf.cast(width, tf.int32), tf.cast(down, tf.int32))  # (periods, width)
    row = tf.range(up)
    first = row * down // up
    columns = first[:, None] + tf.range(2 * reach, -1, -1)[None]  # of frame positions, the last sample first
    places = tf.stack([tf.broadcast_to(row[:, None], tf.shape(columns)), tf.minimum(columns, width - 1)], axis=-1)
    weights = tf.gather(phases, row * down // repeated % ratio)
    matrix = tf.scatter_nd(places, tf.where(columns < width, weights, 0.0), tf.stack([up, width]))
    return tf.reshape(tf.matmul(frames, matrix, transpose_b=True), [-1])[:count]


def _by_blocks(waveform: Tensor, phases: Tensor, up: Tensor, down: Tensor, reach: Tensor, count: Tensor) -> Tensor:
    """Each result by itself, in blocks that bound the memory."""
    size = tf.size(waveform, tf.int64)
    x = tf.pad(waveform, [[reach, reach + 1]])
    back = tf.range(2 * reach, -1, -1)
    block = tf.maximum(tf.constant(_BLOCK * 64, tf.int64) // (2 * reach + 1), 1)

    def results(start: Tensor) -> Tensor:
        m = tf.range(start, tf.minimum(start + block, count)) * down
        first = tf.minimum(m // up, size)
        samples = tf.gather(x, tf.minimum(first[:, None] + back[None], size + 2 * reach))
        return tf.reduce_sum(samples * tf.gather(phases, m % up), axis=1)

    blocks = (count + block - 1) // block
    parts = tf.TensorArray(tf.float32, size=tf.cast(blocks, tf.int32), infer_shape=False, element_shape=[None])
    _, parts = tf.while_loop(
        lambda i, _: i < blocks,
        lambda i, parts: (i + 1, parts.write(tf.cast(i, tf.int32), results(i * block))),
        (tf.constant(0, tf.int64), parts),
        parallel_iterations=1,
    )
    return parts.concat()


def _common_divisor(first: Tensor, second: int) -> Tensor:
    """The greatest common divisor, by Euclid's algorithm: at most 48 rounds for rates of 32 bits."""
    first = tf.cast(first, tf.int64)
    return tf.while_loop(
        lambda a, b: tf.reduce_any(b > 0),
        lambda a, b: (tf.where(b > 0, b, a), tf.where(b > 0, a % tf.maximum(b, 1), 0)),
        (first, tf.fill(tf.shape(first), tf.constant(second, tf.int64))),
        maximum_iterations=64,
    )[0]
