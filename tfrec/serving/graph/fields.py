"""Numbers and names at given places of byte strings, for all rows of a batch at once."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

Tensor = Any


def length(contents: Tensor) -> Tensor:
    """The number of bytes of strings, int64, of any shape."""
    return tf.cast(tf.strings.length(contents), tf.int64)


def read(contents: Tensor, start: Tensor | int, count: int) -> Tensor:
    """Reads bytes; those past the end are 0.

    Args:
        contents: Strings `(batch,)`.
        start: The place of the first byte, int64 `(batch,)` or one for all rows; not below 0.
        count: Number of bytes.

    Returns:
        int64 `(batch, count)`.
    """
    start = tf.broadcast_to(tf.cast(start, tf.int64), tf.shape(contents))
    start = tf.minimum(start, length(contents))
    part = tf.strings.substr(contents, start, tf.fill(tf.shape(start), tf.constant(count, tf.int64)))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int64)


def number(digits: Tensor, is_little: Tensor | bool) -> Tensor:
    """Joins bytes to numbers without a sign.

    Args:
        digits: int64 `(batch, count)`, up to 7 bytes.
        is_little: Whether the lowest byte comes first: bool, or bool `(batch,)`.

    Returns:
        int64 `(batch,)`.
    """
    powers = [256**i for i in range(digits.shape[-1])]
    little = tf.reduce_sum(digits * tf.constant(powers, tf.int64), axis=-1)
    big = tf.reduce_sum(digits * tf.constant(powers[::-1], tf.int64), axis=-1)
    return tf.where(is_little, little, big)


def equals(digits: Tensor, text: bytes) -> Tensor:
    """Whether rows of bytes, int64 `(batch, len(text))`, are a text: bool `(batch,)`."""
    return tf.reduce_all(digits == tf.constant(list(text), tf.int64), axis=-1)


def named(values: Tensor, names: Mapping[int, str], other: str) -> Tensor:
    """Names of numbers `(batch,)`; `other` and the number for one that has none: strings `(batch,)`."""
    result = tf.strings.join([other, tf.strings.as_string(values)])
    for value, name in names.items():
        result = tf.where(values == value, name, result)
    return result
