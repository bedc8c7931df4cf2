"""Bytes of a request -> pixels or samples, inside the exported graph, with bounds on every size."""

from typing import Any

import tensorflow as tf

from pipelines import images

MAX_ENCODED_BYTES = 64_000_000


def image(contents: Any, channels: int, is_deep: bool = False) -> Any:
    """JPEG, PNG, BMP or GIF -> uint8 (height, width, channels), or float32 in [0, 255] where `is_deep`.

    The size is read from the header first: a few bytes can claim a picture that no memory holds.
    """
    size, limit = _image_size(contents), tf.constant(images.MAX_PIXELS, tf.int64)
    many_bytes, many_pixels = "The image has too many bytes", "The image has too many pixels"
    with tf.control_dependencies(
        [
            tf.debugging.assert_less_equal(tf.strings.length(contents), MAX_ENCODED_BYTES, many_bytes),
            # Each side by itself too, because the product of two sides of 32 bits overflows.
            tf.debugging.assert_less_equal(size, limit, many_pixels),
            tf.debugging.assert_less_equal(tf.reduce_prod(size), limit, many_pixels),
        ]
    ):
        contents = tf.identity(contents)
    return images.decode(contents, channels, is_deep)


def image_pixels(contents: Any) -> Any:
    """The pixels, int64, of an encoded image by its header; 0 for other bytes, and limited as `image` limits them."""
    return tf.reduce_prod(tf.minimum(_image_size(contents), images.MAX_PIXELS))


def wav(contents: Any, sample_rate_hz: int) -> Any:
    """16-bit WAV -> float32 (samples,), channels averaged; any other sample rate is an error."""
    with tf.control_dependencies(
        [tf.debugging.assert_less_equal(tf.strings.length(contents), MAX_ENCODED_BYTES, "The clip has too many bytes")]
    ):
        samples, rate = tf.audio.decode_wav(tf.identity(contents))
    wrong = f"The clip must have {sample_rate_hz} samples a second"
    with tf.control_dependencies([tf.debugging.assert_equal(rate, sample_rate_hz, wrong)]):
        return tf.reduce_mean(samples, axis=1)


def _image_size(contents: Any) -> Any:
    """(height, width), int64, from the header."""

    def number(start: int, length: int, little: bool) -> Any:
        # tf.strings.substr fails when it starts past the end.
        text = tf.strings.substr(tf.strings.join([contents, "\0" * 32]), start, length)
        digits = tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int64)
        powers = tf.constant([256**i for i in (range(length) if little else range(length - 1, -1, -1))], tf.int64)
        return tf.reduce_sum(digits * powers)

    def starts(text: bytes) -> Any:
        return tf.strings.substr(tf.strings.join([contents, "\0" * 32]), 0, len(text)) == text

    return tf.case(
        [
            (starts(b"\xff\xd8\xff"), lambda: tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.int64)),
            (starts(b"\x89PNG"), lambda: tf.stack([number(20, 4, False), number(16, 4, False)])),
            (starts(b"GIF8"), lambda: tf.stack([number(8, 2, True), number(6, 2, True)])),
            # A negative height means top-down rows; its value as unsigned is refused.
            (starts(b"BM"), lambda: tf.stack([number(22, 4, True), number(18, 4, True)])),
        ],
        default=lambda: tf.zeros([2], tf.int64),  # the decoder itself refuses other bytes
    )
