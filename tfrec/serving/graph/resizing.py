"""Pictures of any size to the size of a network inside a graph, of large ones in little memory and time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipelines.layers import ImageResize

Tensor = Any

_BLOCK = 8  # rows of the result that are computed at once, at most
_BLOCK_ROWS = 512  # rows of the picture that these should need
_LARGE = 2  # times the height of the result: taller pictures are computed in blocks


def resize(layer: ImageResize, images: Tensor, convert: Callable[[Tensor], Tensor] = tf.identity) -> Tensor:
    """What the layer makes of pictures, to rounding.

    Args:
        layer: The layer.
        images: `(batch, any height, any width, channels)` of any dtype.
        convert: Is applied to pixels of any such shape before they are resized; it may change the channels.

    Returns:
        float32 `(batch, height, width, channels after convert)`.
    """
    height = tf.shape(images)[1]
    is_same = tf.reduce_all(tf.shape(images)[1:3] == [layer.height, layer.width]) & (layer.crop_fraction == 1.0)
    return tf.cond(
        is_same,
        lambda: _sized(layer, tf.cast(convert(images), tf.float32)),
        lambda: tf.cond(
            height > _LARGE * layer.height,
            lambda: _sized(layer, _by_blocks(layer, images, convert)),
            lambda: _sized(layer, layer(convert(images))),
        ),
    )


def _sized(layer: ImageResize, images: Tensor) -> Tensor:
    return tf.ensure_shape(images, [None, layer.height, layer.width, images.shape[-1]])


def _by_blocks(layer: ImageResize, images: Tensor, convert: Callable[[Tensor], Tensor]) -> Tensor:
    """Each block of rows from the rows of the images on which it depends, which alone become float32."""
    (top, _, down), (left, right, across) = layer.plan(tf.shape(images)[1], tf.shape(images)[2])
    used = tf.cast(down != 0, tf.int32)
    first, last = (
        tf.argmax(used, axis=1, output_type=tf.int32),
        tf.shape(down)[1] - tf.argmax(used[:, ::-1], axis=1, output_type=tf.int32),
    )

    size = tf.clip_by_value(_BLOCK_ROWS * layer.height // tf.shape(down)[1], 1, _BLOCK)
    width = right - left

    def block(row: Tensor) -> Tensor:
        end = tf.minimum(row + size, layer.height)
        start, stop = tf.reduce_min(first[row:end]), tf.reduce_max(last[row:end])
        x = tf.cast(convert(images[:, top + start : top + stop, left:right]), tf.float32)
        x = tf.reshape(x, tf.stack([-1, stop - start, width * x.shape[-1]]))
        return tf.transpose(tf.matmul(down[row:end, start:stop], x), [1, 0, 2])  # (rows, batch, columns x channels)

    blocks = (layer.height + size - 1) // size
    rows = tf.TensorArray(tf.float32, size=blocks, infer_shape=False, element_shape=[None, None, None])
    _, rows = tf.while_loop(
        lambda i, _: i < blocks,
        lambda i, rows: (i + 1, rows.write(i, block(i * size))),
        (tf.constant(0), rows),
        parallel_iterations=1,
    )
    x = tf.transpose(tf.ensure_shape(rows.concat(), [layer.height, None, None]), [1, 0, 2])
    channels = convert(images[:, :1, :1]).shape[-1]
    return layer.resize_columns(tf.reshape(x, tf.stack([-1, layer.height, width, channels])), across)
