"""JPEG and PNG files to pixels inside a graph, as `pipelines.images` reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipelines import images
from pipelines.image_formats.pixels import LUMA, Color
from pipelines.layers import ImageResize
from tfrec.serving.graph import resizing
from tfrec.serving.graph.picture_headers import Header

Tensor = Any


def decode(
    contents: Tensor,
    header: Header,
    resize: ImageResize,
    channels: int,
    background: Color,
    halvings: int | Tensor = 0,
) -> Tensor:
    """Decodes one file, upright, and resizes it.

    Args:
        contents: The file, a string scalar.
        header: Its header, of scalars, without a fault.
        resize: To the size of the network's pictures.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.
        halvings: How often a JPEG is halved while it is decoded, see `reduced`.

    Returns:
        float32 `(height, width, channels)` in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: When it runs: the file is damaged.
    """

    def resized(pixels: Tensor, convert: Callable[[Tensor], Tensor]) -> Tensor:
        upright = images.upright(pixels, header.orientation)
        return resizing.resize(resize, upright[None], convert)[0]

    def with_alpha(dtype: tf.DType) -> Tensor:
        return tf.ensure_shape(tf.io.decode_png(contents, channels=4, dtype=dtype), [None, None, 4])

    def opaque() -> Tensor:
        return resized(images.decode_color(contents, halvings), lambda x: images.in_channels(x, channels))

    def transparent() -> Tensor:
        def over_background(x: Tensor) -> Tensor:
            return x if channels == 4 else images.in_channels(_composite(x, background), channels)

        return resized(with_alpha(tf.uint8), over_background)

    def deep() -> Tensor:
        return resized(with_alpha(tf.uint16), lambda x: _convert_deep(x, channels, background))

    code = tf.where(header.is_deep, 2, tf.cast(header.is_transparent, tf.int32))
    return tf.switch_case(code, [opaque, transparent, deep])


def _composite(pixels: Tensor, background: Color) -> Tensor:
    """uint8 color and alpha over a color, in the whole numbers of Pillow's `alpha_composite`."""
    x = tf.cast(pixels, tf.int32)
    below = tf.constant(background, tf.int32)
    mixed = (x[..., :3] - below) * (x[..., 3:] * 128) + (below * (255 * 128) + (128 << 7))
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
