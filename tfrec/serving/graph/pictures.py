"""JPEG and PNG files to pixels inside a graph, as `pipelines.images` reads them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from pipelines import images
from pipelines.image_formats.pixels import LUMA, Color
from pipelines.layers import ImageResize
from tfrec.serving.graph import resizing
from tfrec.serving.graph.picture_headers import Header

Tensor = Any


def decode(contents: Tensor, header: Header, resize: ImageResize, channels: int, background: Color) -> Tensor:
    """Decodes one file, upright, and resizes it.

    Args:
        contents: The file, a string scalar.
        header: Its header, of scalars, without a fault.
        resize: To the size of the network's pictures.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.

    Returns:
        float32 `(height, width, channels)` in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: When it runs: the file is damaged.
    """

    def resized(pixels: Tensor) -> Tensor:
        upright = images.upright(tf.ensure_shape(pixels, [None, None, channels]), header.orientation)
        return resizing.resize(resize, upright[None])[0]

    def opaque() -> Tensor:
        return resized(decode_plain(contents, channels))

    def transparent() -> Tensor:
        pixels = tf.ensure_shape(tf.io.decode_png(contents, channels=4), [None, None, 4])
        return resized(pixels if channels == 4 else images.in_channels(_composite(pixels, background), channels))

    def deep() -> Tensor:
        values = tf.ensure_shape(tf.io.decode_png(contents, channels=4, dtype=tf.uint16), [None, None, 4])
        return resized(_convert_deep(values, channels, background))

    code = tf.where(header.is_deep, 2, tf.cast(header.is_transparent, tf.int32))
    return tf.switch_case(code, [opaque, transparent, deep])


def decode_plain(contents: Tensor, channels: int) -> Tensor:
    """Decodes a JPEG, or a PNG of 8 bits without transparency: uint8 `(height, width, channels)`."""
    return images.in_channels(images.decode_color(contents), channels)  # this kernel reads PNG, too


def _composite(pixels: Tensor, background: Color) -> Tensor:
    """uint8 color and alpha over a color, in the whole numbers of Pillow's `alpha_composite`."""
    x = tf.cast(pixels, tf.int32)
    weight = x[..., 3:] * 128
    mixed = x[..., :3] * weight + tf.constant(background, tf.int32) * (255 * 128 - weight) + (128 << 7)
    mixed = tf.bitwise.right_shift(tf.bitwise.right_shift(mixed, 8) + mixed, 8)
    return tf.cast(tf.bitwise.right_shift(mixed, 7), tf.uint8)


def _convert_deep(values: Tensor, channels: int, background: Color) -> Tensor:
    """uint16 color and alpha as `pipelines.image_formats.pixels.convert_deep` converts them."""
    x = tf.cast(values, tf.float32) * (255 / 65535)
    if channels == 4:
        return x
    alpha = x[..., 3:] / 255
    colors = x[..., :3] * alpha + tf.constant(background, tf.float32) * (1 - alpha)
    if channels == 1:
        colors = tf.tensordot(colors, tf.constant(LUMA, tf.float32), 1)[..., None]
    return tf.clip_by_value(colors, 0.0, 255.0)
