"""What `ImageResize` makes of pictures whose sizes differ, by one kernel of TensorFlow's.

The layer's matrix products compile under XLA and run on every backend, but read a picture as float32 and take 3.8 times
as long for one of 1600 x 1200 pixels to 224 x 224, 1.2 times for one of 320 x 240. Both have the same weights.
"""

from typing import Any

import tensorflow as tf

from pipelines.layers import ImageResize

Tensor = Any
_KERNELS = {"bilinear": "triangle", "bicubic": "keyscubic"}


def resize(layer: ImageResize, images: Tensor) -> Tensor:
    """Resizes images on the CPU.

    Args:
        layer: Says how.
        images: `(batch, any height, any width, channels)`, uint8 or float32 in [0, 255].

    Returns:
        float32 `(batch, height, width, channels)`: the layer's values to 1e-4 of the range, and exactly those of images
        that have the size already.
    """
    rows, columns = (tf.cast(size, tf.float64) for size in tf.unstack(tf.shape(images)[1:3]))
    scale = 1.0 / (layer.crop_fraction * tf.minimum(rows / layer.height, columns / layer.width))
    shifts = (layer.height - rows * scale) / 2, (layer.width - columns * scale) / 2  # of the middle to the middle
    resized = tf.raw_ops.ScaleAndTranslate(
        images=images,
        size=[layer.height, layer.width],
        scale=tf.cast(tf.stack([scale, scale]), tf.float32),
        translation=tf.cast(tf.stack(shifts), tf.float32),
        kernel_type=_KERNELS[layer.interpolation],
        antialias=True,
    )
    return tf.clip_by_value(resized, 0.0, 255.0) if layer.interpolation == "bicubic" else resized
