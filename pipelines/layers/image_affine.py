"""All random geometry of an image in one transform and one interpolation."""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.image_arguments import choice, float_images, image_shape, number, span

FILLS = ("constant", "edge", "reflect")


def sample_affine(images, matrix, shift, fill="constant", fill_value=0.0):
    """Every image sampled bilinearly at an affine map of its pixel grid.

    The output's pixel p = (y, x) is the input at c + matrix @ (p - c) + shift, where c = ((height - 1) / 2,
    (width - 1) / 2) is the center. images: float32 (batch, height, width, channels); matrix: (batch, 2, 2); shift:
    (batch, 2), in pixels, y first. Outside the image, `constant` fades into `fill_value` within one pixel, `edge`
    repeats the last pixel, `reflect` mirrors at the pixel's outer edge (d c b a | a b c d | d c b a).
    """
    batch, height, width, channels = ops.shape(images)
    center_y, center_x = (ops.cast(size - 1, "float32") / 2.0 for size in (height, width))
    down = ops.reshape(ops.arange(height, dtype="float32") - center_y, (1, -1, 1))
    across = ops.reshape(ops.arange(width, dtype="float32") - center_x, (1, 1, -1))
    yy, yx, xy, xx = (ops.reshape(matrix[:, row, column], (-1, 1, 1)) for row in (0, 1) for column in (0, 1))
    y = yy * down + (yx * across + (ops.reshape(shift[:, 0], (-1, 1, 1)) + center_y))
    x = xx * across + (xy * down + (ops.reshape(shift[:, 1], (-1, 1, 1)) + center_x))
    # Whatever lies outside is in a border, one pixel before and two behind, so that no corner of a cell needs a mask.
    images = ops.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=fill_value)
    y, x = _in_border(y, height, fill), _in_border(x, width, fill)
    top, left = ops.floor(y), ops.floor(x)
    to_bottom, to_right = (y - top)[..., None], (x - left)[..., None]
    stride = width + 3
    first = ops.reshape(ops.arange(batch) * ((height + 3) * stride), (-1, 1, 1))
    index = first + (ops.cast(top, "int32") * stride + ops.cast(left, "int32"))
    pixels = ops.reshape(images, (-1, channels))
    a, b, c, d = (ops.take(pixels, index + offset, axis=0) for offset in (0, 1, stride, stride + 1))
    upper = a + (b - a) * to_right
    lower = c + (d - c) * to_right
    return upper + (lower - upper) * to_bottom


def _in_border(position, size, fill):
    """Positions in an image's axis of `size` as positions in the same axis with its border."""
    last = ops.cast(size - 1, "float32")
    if fill == "constant":
        return ops.clip(position, -1.0, last + 1.0) + 1.0
    if fill == "reflect":
        length = last + 1.0
        position = length - ops.abs(ops.mod(position + 0.5, 2.0 * length) - length) - 0.5
    return ops.clip(position, 0.0, last) + 1.0


@keras.saving.register_keras_serializable("pipelines")
class ImageAffine(RandomLayer):
    """Random flip, shear, scale, rotation, shift and crop, in this order, as one affine transform of each image.

    Input: images (batch, height, width, channels), any dtype.
    Output: the same shape, float32, in the input's range; with `training=True` every image is transformed at random by
    itself, otherwise its values are unchanged.

    horizontal_flip, vertical_flip: mirrored with probability 1/2.
    shear_degrees: rows move along x by the tangent of an angle within plus and minus this.
    scale: a factor from this pair, log-uniform; above 1 the picture's content grows.
    rotation_degrees: an angle within plus and minus this, about the center; shapes keep their aspect.
    shift_fraction: a move within plus and minus this fraction of the height and of the width.
    shift_pixels: a move by a whole number of pixels within plus and minus this, which with flips alone keeps a picture
    as sharp as it was.
    min_area: a window of a share of the area from here to 1, uniform, placed anywhere inside and enlarged to the full
    size; 1 crops nothing. crop_aspect: the window's width over its height, relative to the image's own, log-uniform
    (Szegedy et al. 2015, arXiv:1409.4842, section 6, but limited to what fits instead of drawn again).
    fill, fill_value: what lies outside, see `sample_affine`.

    Interpolation is bilinear; flips alone are exact. Shrinking is not antialiased.
    Raises ValueError for arguments outside their range and for input of another rank.
    """

    def __init__(
        self,
        horizontal_flip=False,
        vertical_flip=False,
        rotation_degrees=0.0,
        scale=(1.0, 1.0),
        shift_fraction=0.0,
        shift_pixels=0,
        shear_degrees=0.0,
        min_area=1.0,
        crop_aspect=(3 / 4, 4 / 3),
        fill="constant",
        fill_value=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.horizontal_flip = choice("horizontal_flip", horizontal_flip, (False, True))
        self.vertical_flip = choice("vertical_flip", vertical_flip, (False, True))
        self.rotation_degrees = number("rotation_degrees", rotation_degrees, 0.0, 180.0)
        self.scale = span("scale", scale, 0.01, 100.0)
        self.shift_fraction = number("shift_fraction", shift_fraction, 0.0, 1.0)
        self.shift_pixels = int(number("shift_pixels", shift_pixels, 0, 10_000))
        self.shear_degrees = number("shear_degrees", shear_degrees, 0.0, 80.0)
        self.min_area = number("min_area", min_area, 0.01, 1.0)
        self.crop_aspect = span("crop_aspect", crop_aspect, 0.01, 100.0)
        self.fill = choice("fill", fill, FILLS)
        self.fill_value = number("fill_value", fill_value)

    def call(self, images, training=None):
        """Transformed images."""
        x = float_images(self, images)
        if not training:
            return x
        matrix, shift = self.draw(*ops.shape(x)[:3])
        return sample_affine(x, matrix, shift, self.fill, self.fill_value)

    def draw(self, batch, height, width):
        """Random parameters of `sample_affine` for `batch` images: matrix (batch, 2, 2) and shift (batch, 2)."""
        turn, lean = math.radians(self.rotation_degrees), math.radians(self.shear_degrees)
        spans = [
            (1.0 - 2.0 * self.vertical_flip, 1.0),
            (1.0 - 2.0 * self.horizontal_flip, 1.0),
            tuple(map(math.log, self.scale)),
            (-turn, turn),
            (-lean, lean),
            (self.min_area, 1.0),
            tuple(map(math.log, self.crop_aspect)),
            *[(-0.5, 0.5)] * 2,
            *[(-self.shift_fraction, self.shift_fraction)] * 2,
            *[(-self.shift_pixels - 0.5, self.shift_pixels + 0.5)] * 2,
        ]
        # All in one array, batch last: the cost of small batches is the number of operations.
        low, high = np.array(spans, "float32").T[..., None]
        random = low + (high - low) * keras.random.uniform((len(spans), batch), seed=self.seed_generator)
        _, _, zoom, angle, shear, area, aspect, *_ = ops.unstack(random, len(spans))
        flips, places, moves = ops.where(random[:2] < 0.0, -1.0, 1.0), random[7:9], random[9:11]
        steps = ops.clip(ops.round(random[11:]), -self.shift_pixels, self.shift_pixels)

        # From the output back to the input: the inverse of each step, the last one first. (2, 2, batch)
        zoom, shear = ops.exp(-zoom), ops.tan(shear)
        cos, sin = zoom * ops.cos(angle), zoom * ops.sin(angle)
        back = ops.stack([cos, sin, -(sin + shear * cos), cos - shear * sin])
        back = ops.reshape(back, (2, 2, batch)) * flips[:, None]
        # A window of this area fits while its aspect lies between the area and the area's inverse.
        area = ops.log(area)
        aspect = ops.clip(aspect, area, -area)
        window = ops.exp(0.5 * ops.stack([area - aspect, area + aspect]))
        size = ops.cast(ops.stack([height, width]), "float32")[:, None]
        shift = ops.sum(back * (size * (places * (1.0 - window) + moves) + steps), axis=1)
        return ops.transpose(back * window, (2, 0, 1)), ops.transpose(shift)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return image_shape(self, input_shape)

    def get_config(self):
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
