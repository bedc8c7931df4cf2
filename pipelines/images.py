"""Picture files to uint8 tensors."""

import os

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
# A small file may announce a picture that fills the memory.
MAX_PIXELS = 64_000_000


def probe(path: str | os.PathLike) -> tuple[int, int]:
    """Reads the header of a picture.

    Args:
        path: The file.

    Returns:
        (height, width) in pixels; no pixels are decoded.

    Raises:
        UserError: The file is missing, empty, not a picture that is read, or has more than MAX_PIXELS.
    """
    from PIL import Image

    path = os.fspath(path)
    try:
        if os.path.getsize(path) == 0:
            raise UserError(f"{path} is empty: replace or remove it.")
        with Image.open(path, formats=("JPEG", "PNG", "BMP", "GIF")) as image:
            width, height = image.size
            # TensorFlow reads the indices of a palette as shades of gray.
            has_palette = image.format == "BMP" and image.mode in ("P", "1")
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large a picture: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{path} is not a JPEG, PNG, BMP or GIF picture.") from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's readers raise all three on broken headers
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if height * width > MAX_PIXELS:
        raise UserError(f"{path} announces {width} x {height} pixels: the maximum is {MAX_PIXELS}; scale it down.")
    if has_palette:
        raise UserError(f"{path} is a BMP picture with a palette, which is not read: save it as PNG.")
    return height, width


def decode(data: tf.Tensor, channels: int) -> tf.Tensor:
    """Decodes a picture in a graph; of a GIF, the first frame.

    Args:
        data: The file's content, a string scalar.
        channels: 1 (gray) or 3 (color).

    Returns:
        uint8 `(height, width, channels)`.
    """

    def decoded(as_channels: int) -> tf.Tensor:
        image = tf.io.decode_image(data, channels=as_channels, expand_animations=False)
        return tf.ensure_shape(image, (None, None, as_channels))

    if channels != 1:
        return decoded(channels)
    # TensorFlow reads BMP and GIF in color only.
    is_color_only = tf.reduce_any(tf.strings.substr(data, 0, 2) == [b"BM", b"GI"])
    return tf.cond(is_color_only, lambda: tf.image.rgb_to_grayscale(decoded(3)), lambda: decoded(1))


def read(path: str | os.PathLike, channels: int) -> np.ndarray:
    """Reads a picture.

    Args:
        path: The file.
        channels: 1 (gray) or 3 (color).

    Returns:
        uint8 `(height, width, channels)`.

    Raises:
        UserError: The file cannot be read.
    """
    probe(path)
    try:
        return decode(tf.io.read_file(os.fsencode(path)), channels).numpy()
    except tf.errors.OpError as error:
        raise UserError(
            f"{os.fspath(path)} cannot be decoded as a picture: it is truncated, damaged or of an unusual kind;"
            " save it again as PNG."
        ) from error
