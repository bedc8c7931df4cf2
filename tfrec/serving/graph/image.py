"""Pictures in the signatures of exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipelines import images as picture_files
from pipelines.image_formats import reduced
from pipelines.image_formats.pixels import Color
from pipelines.layers import ImageResize
from tfrec.serving.graph import picture_headers, pictures, resizing, rules
from tfrec.serving.graph.rules import Limits, RawInput

Tensor = Any
_PARALLEL = 16  # files that are decoded at once, at most


def pixels(layer: ImageResize, channels: int, dtype: str, limits: Limits) -> RawInput:
    """Pictures as pixels: "image" `(batch, height, width, channels)`, read in the network's size.

    Args:
        layer: Resizes to that size.
        channels: Of the pictures.
        dtype: Of the pixels, "uint8" or "float32".
        limits: Of a request.
    """

    def read(image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        image = rules.require_rows(image, limits)
        height, width = tf.shape(image)[1], tf.shape(image)[2]
        image = rules.require(tf.minimum(height, width) > 0, "a picture needs at least one pixel: send some", image)
        number = tf.reduce_prod(tf.cast(tf.shape(image)[:3], tf.float64))
        image = rules.require(number <= limits.pixels, _many_pixels(limits), image)
        faults = _pixel_faults(image)
        image = rules.accept(faults, limits, image)
        if limits.fill_bad_rows and image.dtype.is_floating:
            image = tf.where((faults == "")[:, None, None, None], image, 0.0)
        return {"image": resizing.resize(layer, image)}, faults

    return RawInput([tf.TensorSpec([None, None, None, channels], dtype, name="image")], read)


def files(
    layer: ImageResize,
    channels: int,
    background: Color,
    limits: Limits,
    name: str,
    reduced_to: reduced.Size | None = None,
) -> RawInput:
    """Pictures as the bytes of JPEG and PNG files, a string input of this name, read in the network's size.

    Args:
        layer: Resizes to that size.
        channels: Of the pictures.
        background: The color below transparent pixels.
        limits: Of a request.
        name: Of the input.
        reduced_to: A size that JPEG files, which are halved, still cover; None decodes them whole.
    """

    def read(contents: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        contents = rules.require_rows(contents, limits)
        header = picture_headers.read_headers(contents)
        large = f"has more than {rules.MAX_ENCODED_BYTES:,} bytes: send a smaller one"
        is_large = (header.fault == "") & (tf.strings.length(contents) > rules.MAX_ENCODED_BYTES)
        faults = tf.where(is_large, large, header.fault)
        # Pixels of 16 bits, or with alpha, take more time and memory.
        weight = tf.where(header.is_deep | header.is_transparent, tf.constant(4, tf.int64), 1)
        pixels = tf.cast(header.height, tf.float64) * tf.cast(header.width * weight, tf.float64)
        announced = tf.strings.as_string(header.width), " x ", tf.strings.as_string(header.height)
        many = tf.strings.join(["announces ", *announced, " pixels: send at most ", f"{limits.pixels:,}"])
        many = tf.strings.join([many, ", or a quarter of it with transparency or 16 bits"])
        faults = tf.where((faults == "") & (pixels > limits.pixels), many, faults)
        contents, header = rules.accept(faults, limits, (contents, header))
        total = tf.reduce_sum(tf.where(faults == "", pixels, 0.0))
        contents = rules.require(total <= limits.pixels, _many_pixels(limits), contents)
        halvings = _halvings(contents, header, reduced_to)
        images, is_decoded = _decode(contents, header, halvings, faults == "", layer, channels, background)
        damaged = "cannot be decoded as a picture, it is truncated or damaged: copy it again"
        faults = tf.where((faults == "") & ~is_decoded, damaged, faults)
        return {"image": rules.accept(faults, limits, images)}, faults

    return RawInput([tf.TensorSpec([None], tf.string, name=name)], read)


def _many_pixels(limits: Limits) -> str:
    return (
        f"the pictures of a request may have {limits.pixels:,} pixels together, those with transparency or 16 bits"
        " a quarter of it: send fewer at once, or smaller ones"
    )


def _pixel_faults(image: Tensor) -> Tensor:
    """What is wrong with pictures `(batch, height, width, channels)`: NaN, or values on another scale."""
    if not image.dtype.is_floating:
        return tf.fill(tf.shape(image)[:1], "")
    low, high = tf.reduce_min(image, axis=[1, 2, 3]), tf.reduce_max(image, axis=[1, 2, 3])
    is_finite = tf.math.is_finite(tf.reduce_sum(image, axis=[1, 2, 3])) & tf.math.is_finite(high - low)
    scale = tf.where((low < 0) | (high > 255), "has pixels outside 0 to 255: send that range", "")
    return tf.where(is_finite, scale, "has a pixel that is NaN or infinite: send finite numbers")


def _halvings(contents: Tensor, header: picture_headers.Header, size: reduced.Size | None) -> Tensor | None:
    """How often each file is halved while it is decoded, as in training; None where none is."""
    if size is None or 0 in size:
        return None
    is_turned, is_jpeg = header.orientation >= 5, tf.strings.substr(contents, 0, 2) == b"\xff\xd8"
    height = tf.where(is_turned, header.width, header.height)
    width = tf.where(is_turned, header.height, header.width)
    return tf.where(is_jpeg, reduced.halvings(height, width, size), 0)


def _decode(
    contents: Tensor,
    header: picture_headers.Header,
    halvings: Tensor | None,
    is_good: Tensor,
    layer: ImageResize,
    channels: int,
    background: Color,
) -> tuple[Tensor, Tensor]:
    """Pictures `(batch, height, width, channels)`, 0 for those that are not decoded, and whether each was decoded."""
    # Most requests have plain pictures, often of the network's size: graphs with less for each picture are faster.
    is_plain = (header.orientation == 1) & ~header.is_transparent & ~header.is_deep
    is_plain = tf.reduce_all(is_plain | ~is_good)
    size = tf.stack([header.height, header.width], axis=1)
    is_sized = tf.reduce_all((size == [layer.height, layer.width]) | ~is_good[:, None]) & (layer.crop_fraction == 1.0)

    def convert(x: Tensor) -> Tensor:
        return picture_files.in_channels(x, channels)

    def times(i: Tensor) -> Tensor | int:
        return 0 if halvings is None else halvings[i]

    def sized(i: Tensor) -> Tensor:
        return convert(picture_files.decode_color(contents[i]))  # this kernel reads PNG, too

    def plain(i: Tensor) -> Tensor:
        color = picture_files.decode_color(contents[i], times(i))
        return resizing.resize(layer, color[None], convert)[0]

    def general(i: Tensor) -> Tensor:
        one = picture_headers.Header(*(field[i] for field in header))
        return pictures.decode(contents[i], one, layer, channels, background, times(i))

    shape, rows = [layer.height, layer.width, channels], tf.where(is_good)[:, 0]
    count = tf.size(contents, tf.int64)
    branches = [
        lambda: _in_parallel(general, rows, count, shape, tf.float32),
        lambda: _in_parallel(plain, rows, count, shape, tf.float32),
        lambda: _in_parallel(sized, rows, count, shape, tf.uint8),
    ]
    code = tf.where(is_plain, 1 + tf.cast(is_sized, tf.int32), 0)
    images, is_decoded = tf.switch_case(code, branches)
    return tf.ensure_shape(images, [None, *shape]), tf.ensure_shape(is_decoded, [None])


def _in_parallel(
    picture: Callable[[Any], Tensor], rows: Tensor, count: Tensor, shape: list[int], dtype: tf.DType
) -> tuple[Tensor, Tensor]:
    """`picture` of some rows, in their places among all, as float32, and which rows could be decoded."""
    decoded = tf.data.Dataset.from_tensor_slices(rows)
    decoded = decoded.map(lambda i: (i, tf.ensure_shape(picture(i), shape)), num_parallel_calls=_PARALLEL)
    # One picture more than there are, because a data set without a batch has no element.
    filler = tf.data.Dataset.from_tensors((count, tf.zeros(shape, dtype)))
    places, values = decoded.ignore_errors().concatenate(filler).batch(count + 1).get_single_element()
    is_decoded = tf.scatter_nd(places[:, None], tf.fill(tf.shape(places), True), [count + 1])[:-1]

    def in_their_places() -> Tensor:
        return tf.scatter_nd(places[:, None], values, tf.concat([[count + 1], tf.constant(shape, tf.int64)], axis=0))

    values = tf.cond(tf.reduce_all(is_decoded), lambda: values, in_their_places)[:-1]
    return tf.cast(values, tf.float32), is_decoded
