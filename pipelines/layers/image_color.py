"""Random brightness, contrast, saturation and hue in one pass over the pixels."""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.image_arguments import float_images, image_shape, number

# RGB to YIQ of the FCC's NTSC standard of 1953 (47 CFR 73.682): Y is the luma, I and Q turn with the hue.
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
LUMA = YIQ[0]


def adjust_color(images, brightness, contrast, saturation, hue):
    """Images (batch, height, width, 1 or 3), float32 in [0, 255], with each image's own factors applied in one pass.

    brightness, contrast, saturation: (batch,), factors, 1 changes nothing. hue: (batch,), in turns, 0 changes nothing.
    In this order, with Y the luma 0.299 R + 0.587 G + 0.114 B:

    - brightness: x <- b x
    - contrast: x <- c x + (1 - c) m, where m is the mean of Y over the image
    - saturation: x <- s x + (1 - s) Y
    - hue: the plane of I and Q in YIQ is turned, which keeps Y, and gray as it is; close to the same turn of HSV's hue

    The first three are blends (Haeberli and Voorhies 1994, "Image Processing by Interpolation and Extrapolation") with
    the factors of torchvision's ColorJitter. Clipped to [0, 255] once, at the end. One channel has neither saturation
    nor hue: they leave it alone.
    """
    channels = images.shape[-1]
    luma = ops.mean(images, axis=(1, 2))
    if channels == 3:
        luma = ops.sum(luma * ops.convert_to_tensor(LUMA, "float32"), axis=-1, keepdims=True)
    gain = (brightness * contrast)[:, None]
    offset = (brightness * (1.0 - contrast))[:, None] * luma
    if channels == 1:
        return ops.clip(images * gain[..., None, None] + offset[..., None, None], 0.0, 255.0)
    matrix = gain[..., None] * _hue_and_saturation(saturation, hue)
    # Written out: a product of three by three matrices would be rounded to TensorFloat-32 on a GPU.
    columns = [images[..., i, None] * matrix[:, None, None, :, i] for i in range(3)]
    return ops.clip(columns[0] + columns[1] + columns[2] + offset[:, None, None, :], 0.0, 255.0)


def _hue_and_saturation(saturation, hue):
    """The matrices (batch, 3, 3) that turn a pixel's hue and scale its distance from gray."""
    inverse = np.linalg.inv(YIQ)
    # A turn is three constant matrices, two of them times its cosine and sine; this sense takes red to yellow.
    gray = np.outer(inverse[:, 0], YIQ[0])
    along = np.outer(inverse[:, 1], YIQ[1]) + np.outer(inverse[:, 2], YIQ[2])
    across = np.outer(inverse[:, 1], YIQ[2]) - np.outer(inverse[:, 2], YIQ[1])
    angle = hue * (2.0 * math.pi)
    weights = (ops.ones_like(angle), saturation * ops.cos(angle), saturation * ops.sin(angle))
    parts = (ops.convert_to_tensor(part, "float32") for part in (gray, along, across))
    return sum(weight[:, None, None] * part for weight, part in zip(weights, parts, strict=True))


@keras.saving.register_keras_serializable("pipelines")
class ImageColor(RandomLayer):
    """Random brightness, contrast, saturation and hue, each image its own, in one pass.

    Input: images (batch, height, width, 1 or 3), any dtype, values in [0, 255].
    Output: the same shape, float32, in [0, 255]; with `training=True` changed at random, otherwise its values are
    unchanged.

    brightness, contrast, saturation: from 0 to 1; 0.4 draws a factor from [0.6, 1.4], uniformly.
    hue: in turns, from 0 to 0.5; 0.1 draws from [-0.1, 0.1].
    Formulas and order: `adjust_color`. An image of one channel takes brightness and contrast only.

    Raises ValueError for arguments outside their range, and for images of neither 1 nor 3 channels.
    """

    def __init__(self, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.brightness = number("brightness", brightness, 0.0, 1.0)
        self.contrast = number("contrast", contrast, 0.0, 1.0)
        self.saturation = number("saturation", saturation, 0.0, 1.0)
        self.hue = number("hue", hue, 0.0, 0.5)

    def call(self, images, training=None):
        """Images in other colors."""
        x = float_images(self, images, channels=(1, 3))
        if not training:
            return x
        random = keras.random.uniform((4, ops.shape(x)[0]), -1.0, 1.0, seed=self.seed_generator)
        brightness, contrast, saturation = (
            1.0 + amount * random[i] for i, amount in enumerate((self.brightness, self.contrast, self.saturation))
        )
        return adjust_color(x, brightness, contrast, saturation, self.hue * random[3])

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return image_shape(self, input_shape, channels=(1, 3))

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "hue": self.hue,
        }
