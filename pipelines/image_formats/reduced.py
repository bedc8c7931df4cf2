"""JPEG files decoded at 1/2, 1/4 or 1/8 of their size, which takes less time where a network's pictures are small.

libjpeg transforms fewer coefficients of each block: a pixel of the result is about the mean of a square of the whole
picture. Pillow has the same in `Image.draft`.
"""

from typing import Any

import numpy as np
import tensorflow as tf

HALVINGS = (0, 1, 2, 3)  # the file is decoded at 1/2**halvings of its size

Size = tuple[int, int]
Tensor = Any


def halvings(height: Any, width: Any, size: Size | None) -> Any:
    """How often pictures can be halved and still cover a size.

    >>> halvings(1200, 1600, (224, 224)), halvings(240, 320, (224, 224)), halvings(240, 320, None)
    (2, 0, 0)

    Args:
        height: Upright: ints, or arrays or tensors of them.
        width: Likewise.
        size: `(height, width)` that is to be covered; None, or one with a 0, halves no picture.

    Returns:
        Of HALVINGS, of the kind of `height`.
    """
    if size is None or 0 in size:
        return height * 0
    if isinstance(height, tf.Tensor):
        times = tf.minimum(height // size[0], width // size[1])
        return sum(tf.cast(times >= 2**count, tf.int32) for count in HALVINGS[1:])
    times = np.minimum(np.asarray(height) // size[0], np.asarray(width) // size[1])
    counts = sum((times >= 2**count).astype(np.int32) for count in HALVINGS[1:])
    return int(counts) if isinstance(height, int) else counts


def decode_color(data: Tensor, times: int | Tensor = 0) -> Tensor:
    """Decodes a JPEG that is halved some times, or a PNG without alpha that is not halved.

    Args:
        data: The file, a string scalar.
        times: Of HALVINGS: an int32 scalar, or a Python int where it is the same for all files.

    Returns:
        uint8 `(height, width, 3)`, sizes rounded up.
    """

    def decode(count: int) -> Tensor:
        # Pillow's exact method; `ratio` belongs to the operation, so that a graph has one operation for each.
        image = tf.io.decode_jpeg(data, channels=3, ratio=2**count, dct_method="INTEGER_ACCURATE")
        return tf.ensure_shape(image, (None, None, 3))

    if isinstance(times, int):
        return decode(times)
    return tf.switch_case(times, [lambda count=count: decode(count) for count in HALVINGS])
