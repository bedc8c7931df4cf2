"""Picture files to uint8 tensors."""

import os

import tensorflow as tf

from pipelines.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
# A small file may announce a picture that fills the memory.
MAX_PIXELS = 64_000_000


def probe(path):
    """(height, width) of a picture, from its header alone.

    Raises UserError, with the path, for a file that is missing, empty, not a picture, or above 64 megapixels.
    """
    from PIL import Image

    path = os.fspath(path)
    try:
        if os.path.getsize(path) == 0:
            raise UserError(f"{path} is empty.")
        with Image.open(path, formats=("JPEG", "PNG", "BMP", "GIF")) as image:
            width, height = image.size
            # TensorFlow takes a palette's indices for shades of gray.
            palette = image.format == "BMP" and image.mode in ("P", "1")
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large a picture: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{path} is not a JPEG, PNG, BMP or GIF picture.") from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's readers raise all three on broken headers
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if height * width > MAX_PIXELS:
        raise UserError(f"{path} announces {width} x {height} pixels: at most {MAX_PIXELS} are read; scale it down.")
    if palette:
        raise UserError(f"{path} is a BMP picture with a palette, which is not read: save it as PNG.")
    return height, width


def decode(data, channels):
    """Encoded bytes (a string tensor) -> uint8 (height, width, channels), in a graph; a GIF's first frame."""

    def decoded(as_channels):
        image = tf.io.decode_image(data, channels=as_channels, expand_animations=False)
        return tf.ensure_shape(image, (None, None, as_channels))

    if channels != 1:
        return decoded(channels)
    # TensorFlow reads BMP and GIF in color only.
    colored = tf.reduce_any(tf.strings.substr(data, 0, 2) == [b"BM", b"GI"])
    return tf.cond(colored, lambda: tf.image.rgb_to_grayscale(decoded(3)), lambda: decoded(1))


def read(path, channels):
    """The picture in a file: uint8 (height, width, channels). Raises UserError for anything unreadable."""
    probe(path)
    try:
        return decode(tf.io.read_file(os.fsencode(path)), channels).numpy()
    except tf.errors.OpError as error:
        raise UserError(reason(os.fspath(path))) from error


def reason(path):
    """The sentence for a picture that `decode` could not take."""
    return f"{path} cannot be decoded as a picture: it is truncated, damaged or of an unusual kind."
