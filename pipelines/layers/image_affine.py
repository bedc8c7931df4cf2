"""All random geometry of an image in one affine transform and one interpolation."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.affine import FILLS, sample_affine
from pipelines.layers.base import RandomLayer, Shape, Tensor, for_each_frame
from pipelines.layers.image_checks import (
    check_choice,
    check_image_shape,
    check_number,
    check_range,
    to_float_images,
)


@keras.saving.register_keras_serializable("pipelines")
class ImageAffine(RandomLayer):
    """Random flip, shear, scale, rotation, shift and crop, in this order, as one affine transform of each image.

    Interpolation is bilinear; flips by themselves are exact. Shrinking is not antialiased.

    Args:
        horizontal_flip: Mirrors left and right with probability 1/2.
        vertical_flip: Mirrors top and bottom with probability 1/2.
        rotation_degrees: Maximum angle to either side, uniform, about the center; shapes keep their aspect.
        scale: Smallest and largest zoom factor, log-uniform; above 1 enlarges the content.
        shift_fraction: Maximum shift in either direction, as a fraction of the height and of the width, uniform.
        shift_pixels: Maximum shift in either direction by a whole number of pixels, uniform; with flips only, an image
            stays as sharp as it was.
        shear_degrees: Maximum shear angle to either side, uniform; rows move along x by its tangent.
        min_area: Smallest fraction of the area that a random crop keeps, uniform from here to 1; the crop lies anywhere
            inside the image and is enlarged to the full size. 1 turns cropping off.
        crop_aspect: Smallest and largest width over height of the crop, relative to the image's own, log-uniform
            (Szegedy et al. 2015, arXiv:1409.4842, section 6, but clipped to what fits instead of drawn again).
        fill: Content outside the image, see `sample_affine`.
        fill_value: The constant of fill `constant`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rotation_degrees: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        shift_fraction: float = 0.0,
        shift_pixels: int = 0,
        shear_degrees: float = 0.0,
        min_area: float = 1.0,
        crop_aspect: tuple[float, float] = (3 / 4, 4 / 3),
        fill: str = "constant",
        fill_value: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.horizontal_flip = check_choice("horizontal_flip", horizontal_flip, (False, True))
        self.vertical_flip = check_choice("vertical_flip", vertical_flip, (False, True))
        self.rotation_degrees = check_number("rotation_degrees", rotation_degrees, 0.0, 180.0)
        self.scale = check_range("scale", scale, 0.01, 100.0)
        self.shift_fraction = check_number("shift_fraction", shift_fraction, 0.0, 1.0)
        self.shift_pixels = int(check_number("shift_pixels", shift_pixels, 0, 10_000))
        self.shear_degrees = check_number("shear_degrees", shear_degrees, 0.0, 80.0)
        self.min_area = check_number("min_area", min_area, 0.01, 1.0)
        self.crop_aspect = check_range("crop_aspect", crop_aspect, 0.01, 100.0)
        self.fill = check_choice("fill", fill, FILLS)
        self.fill_value = check_number("fill_value", fill_value)

    def call(self, images: Tensor, training: bool | None = None, frames: Tensor | None = None) -> Tensor:
        """Transforms each image at random.

        Args:
            images: `(batch, height, width, channels)`, any dtype and range.
            training: Applies the transform only if True; otherwise the values stay the same.
            frames: Number of images in a row that get the same transform, see `for_each_frame`.

        Returns:
            The input's shape and range, float32.

        Raises:
            ValueError: The input is not a batch of images.
        """
        x = to_float_images(self, images)
        if not training:
            return x
        batch, height, width = ops.shape(x)[:3]
        parameters = self.sample_parameters(batch if frames is None else batch // frames, height, width)
        matrix, shift = (for_each_frame(values, frames) for values in parameters)
        return sample_affine(x, matrix, shift, self.fill, self.fill_value)

    def sample_parameters(self, batch: Tensor, height: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Draws the parameters of `sample_affine`.

        Args:
            batch: Number of images, an int or a scalar tensor.
            height: Pixels, likewise.
            width: Pixels, likewise.

        Returns:
            Matrices `(batch, 2, 2)` and shifts `(batch, 2)`.
        """
        # All in one array, batch last: the cost of small batches is the number of operations.
        low, high = np.array(self._parameter_ranges(), "float32").T[..., None]
        random = low + (high - low) * keras.random.uniform((len(low), batch), seed=self.seed_generator)
        _, _, zoom, angle, shear, area, aspect, *_ = ops.unstack(random, len(low))
        flips, places, moves = ops.where(random[:2] < 0.0, -1.0, 1.0), random[7:9], random[9:11]
        steps = ops.clip(ops.round(random[11:]), -self.shift_pixels, self.shift_pixels)

        # From the output back to the input: the inverse of each step, the last one first. (2, 2, batch)
        zoom, shear = ops.exp(-zoom), ops.tan(shear)
        cos, sin = zoom * ops.cos(angle), zoom * ops.sin(angle)
        inverse = ops.stack([cos, sin, -(sin + shear * cos), cos - shear * sin])
        inverse = ops.reshape(inverse, (2, 2, batch)) * flips[:, None]
        # A crop of this area fits while its aspect lies between the area and the area's inverse.
        area = ops.log(area)
        aspect = ops.clip(aspect, area, -area)
        window = ops.exp(0.5 * ops.stack([area - aspect, area + aspect]))
        size = ops.cast(ops.stack([height, width]), "float32")[:, None]
        shift = ops.sum(inverse * (size * (places * (1.0 - window) + moves) + steps), axis=1)
        return ops.transpose(inverse * window, (2, 0, 1)), ops.transpose(shift)

    def _parameter_ranges(self) -> list[tuple[float, ...]]:
        """Lowest and highest value of each random parameter, in the order in which `sample_parameters` reads them."""
        angle, shear = math.radians(self.rotation_degrees), math.radians(self.shear_degrees)
        return [
            (1.0 - 2.0 * self.vertical_flip, 1.0),
            (1.0 - 2.0 * self.horizontal_flip, 1.0),
            tuple(map(math.log, self.scale)),
            (-angle, angle),
            (-shear, shear),
            (self.min_area, 1.0),
            tuple(map(math.log, self.crop_aspect)),
            *[(-0.5, 0.5)] * 2,
            *[(-self.shift_fraction, self.shift_fraction)] * 2,
            *[(-self.shift_pixels - 0.5, self.shift_pixels + 0.5)] * 2,
        ]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images."""
        return check_image_shape(self, input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "horizontal_flip": self.horizontal_flip,
            "vertical_flip": self.vertical_flip,
            "rotation_degrees": self.rotation_degrees,
            "scale": self.scale,
            "shift_fraction": self.shift_fraction,
            "shift_pixels": self.shift_pixels,
            "shear_degrees": self.shear_degrees,
            "min_area": self.min_area,
            "crop_aspect": self.crop_aspect,
            "fill": self.fill,
            "fill_value": self.fill_value,
        }
