"""Random brightness, contrast, saturation and hue in one pass over the pixels."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer, Shape, Tensor, for_each_frame
from pipelines.layers.image_checks import check_image_shape, check_number, to_float_images

# RGB to YIQ of the FCC's NTSC standard of 1953 (47 CFR 73.682): Y is the luma, hue rotates I and Q.
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
LUMA = YIQ[0]


def adjust_color(images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Applies each image's own color factors in one pass.

    In this order, with Y the luma 0.299 R + 0.587 G + 0.114 B:

    - brightness: x <- b x
    - contrast: x <- c x + (1 - c) m, where m is the mean of Y over the image
    - saturation: x <- s x + (1 - s) Y
    - hue: rotates the plane of I and Q in YIQ, which keeps Y and gray; close to the same rotation of HSV's hue

    The first three are blends (Haeberli and Voorhies 1994, "Image Processing by Interpolation and Extrapolation") with
    the factors of torchvision's ColorJitter. Values are clipped once, at the end. Saturation and hue do not change an
    image of one channel.

    Args:
        images: `(batch, height, width, 1 or 3)`, float32 in [0, 255].
        brightness: Factors `(batch,)`; 1 changes nothing.
        contrast: Factors `(batch,)`; 1 changes nothing.
        saturation: Factors `(batch,)`; 1 changes nothing.
        hue: Rotations `(batch,)`, in turns; 0 changes nothing.

    Returns:
        The images' shape, float32 in [0, 255].
    """
    channels = images.shape[-1]
    luma = ops.mean(images, axis=(1, 2))
    if channels == 3:
        luma = ops.sum(luma * ops.convert_to_tensor(LUMA, "float32"), axis=-1, keepdims=True)
    gain = (brightness * contrast)[:, None]
    offset = (brightness * (1.0 - contrast))[:, None] * luma
    if channels == 1:
        return ops.clip(images * gain[..., None, None] + offset[..., None, None], 0.0, 255.0)
    matrix = gain[..., None] * _saturation_and_hue(saturation, hue)
    # Written out: a GPU would round a product of 3 x 3 matrices to TensorFloat-32.
    columns = [images[..., i, None] * matrix[:, None, None, :, i] for i in range(3)]
    return ops.clip(columns[0] + columns[1] + columns[2] + offset[:, None, None, :], 0.0, 255.0)


def _saturation_and_hue(saturation: Tensor, hue: Tensor) -> Tensor:
    """Matrices (batch, 3, 3) that rotate a pixel's hue and scale its distance from gray."""
    inverse = np.linalg.inv(YIQ)
    # A rotation is three constant matrices, two of them times its cosine and sine; this sense turns red to yellow.
    gray = np.outer(inverse[:, 0], YIQ[0])
    along = np.outer(inverse[:, 1], YIQ[1]) + np.outer(inverse[:, 2], YIQ[2])
    across = np.outer(inverse[:, 1], YIQ[2]) - np.outer(inverse[:, 2], YIQ[1])
    angle = hue * (2.0 * math.pi)
    weights = (ops.ones_like(angle), saturation * ops.cos(angle), saturation * ops.sin(angle))
    parts = (ops.convert_to_tensor(part, "float32") for part in (gray, along, across))
    return sum(weight[:, None, None] * part for weight, part in zip(weights, parts, strict=True))


@keras.saving.register_keras_serializable("pipelines")
class ImageColor(RandomLayer):
    """Random brightness, contrast, saturation and hue of each image, in one pass.

    `adjust_color` has the formulas and their order. Saturation and hue do not change an image of one channel.

    Args:
        brightness: From 0 to 1; 0.4 draws a factor uniformly from [0.6, 1.4].
        contrast: Likewise.
        saturation: Likewise.
        hue: In turns, from 0 to 0.5; 0.1 draws a rotation uniformly from [-0.1, 0.1].
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.brightness = check_number("brightness", brightness, 0.0, 1.0)
        self.contrast = check_number("contrast", contrast, 0.0, 1.0)
        self.saturation = check_number("saturation", saturation, 0.0, 1.0)
        self.hue = check_number("hue", hue, 0.0, 0.5)

    def call(self, images: Tensor, training: bool | None = None, frames: Tensor | None = None) -> Tensor:
        """Changes the colors of each image at random.

        Args:
            images: `(batch, height, width, 1 or 3)`, any dtype, values in [0, 255].
            training: Changes colors only if True; otherwise the values stay the same.
            frames: Number of images in a row that get the same change, see `for_each_frame`.

        Returns:
            The input's shape, float32 in [0, 255].

        Raises:
            ValueError: The input is not a batch of images with 1 or 3 channels.
        """
        x = to_float_images(self, images, channels=(1, 3))
        if not training:
            return x
        batch = ops.shape(x)[0] if frames is None else ops.shape(x)[0] // frames
        drawn = keras.random.uniform((4, batch), -1.0, 1.0, seed=self.seed_generator)
        random = [for_each_frame(values, frames) for values in ops.unstack(drawn, 4)]
        brightness, contrast, saturation = (
            1.0 + amount * random[i] for i, amount in enumerate((self.brightness, self.contrast, self.saturation))
        )
        return adjust_color(x, brightness, contrast, saturation, self.hue * random[3])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images with 1 or 3 channels."""
        return check_image_shape(self, input_shape, channels=(1, 3))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "hue": self.hue,
        }
