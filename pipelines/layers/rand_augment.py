"""RandAugment (Cubuk et al. 2019, arXiv:1909.13719), all operations of an image fused into a few passes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.affine import FILLS, sample_affine
from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.image_checks import check_choice, check_image_shape, check_number, to_float_images
from pipelines.layers.image_color import LUMA

OPERATIONS = (
    "identity",
    "autocontrast",
    "equalize",
    "contrast",
    "brightness",
    "posterize",
    "solarize",
    "sharpness",
    "rotate",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "color",  # the last, since images of one channel have none
)
BLENDS = ("contrast", "brightness", "color", "sharpness")
LEVELS = 256


@keras.saving.register_keras_serializable("pipelines")
class RandAugment(RandomLayer):
    """Applies random operations out of the paper's 14 to each image, at one magnitude.

    Each image gets `operations` draws with replacement. An image of one channel has no color operation and draws from
    the other 13. At magnitude 10, as in AutoAugment (Cubuk et al. 2018, arXiv:1805.09501, table 6):

    - rotate turns by 30 degrees, shear_x and shear_y shear by 0.3, translate_x and translate_y shift by 0.45 of
      the side
    - contrast, brightness, color (that is, saturation) and sharpness blend with a factor of 0.1 or 1.9
    - posterize keeps 4 of 8 bits, solarize inverts every value
    - identity, autocontrast and equalize have no magnitude

    Strengths grow linearly from no change at 0. Operations with two directions take either with probability 1/2.

    The paper applies the operations in the order drawn. Here their order is fixed, so that the cost does not grow with
    their number: equalize, or else autocontrast; brightness; contrast; posterize; solarize (up to here one table of 256
    whole values per image and channel); color; sharpness; last all geometry, in the order drawn, about the center, as
    one affine map with one bilinear interpolation. Drawn twice, factors multiply; equalize, autocontrast, posterize and
    solarize apply once. Nothing is clipped or rounded between color and sharpness.

    Args:
        operations: Operations per image, at least 1.
        magnitude: Strength of the operations, from 0 to 10.
        fill: Content outside the image, see `sample_affine`.
        fill_value: The constant of fill `constant`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self,
        operations: int = 2,
        magnitude: float = 9.0,
        fill: str = "constant",
        fill_value: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(operations, bool) or not isinstance(operations, int) or operations < 1:
            raise ValueError(f"operations must be a whole number of 1 or more. Received: {operations!r}")
        self.operations = operations
        self.magnitude = check_number("magnitude", magnitude, 0.0, 10.0)
        self.fill = check_choice("fill", fill, FILLS)
        self.fill_value = check_number("fill_value", fill_value)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Applies random operations to each image.

        Args:
            images: `(batch, height, width, 1 or 3)`, any dtype, values in [0, 255].
            training: Applies operations only if True; otherwise the values stay the same.

        Returns:
            The input's shape, float32 in [0, 255].

        Raises:
            ValueError: The input is not a batch of images with 1 or 3 channels.
        """
        x = to_float_images(self, images, channels=(1, 3))
        if not training:
            return x
        return self.apply(x, *self.sample_operations(ops.shape(x)[0], x.shape[-1]))

    def sample_operations(self, batch: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """Draws the operations of each image.

        Args:
            batch: Number of images, an int or a scalar tensor.
            channels: Channels of the images, 1 or 3.

        Returns:
            Indices into OPERATIONS and directions, -1 or 1, both `(operations, batch)`, float32.
        """
        count = len(OPERATIONS) - (channels == 1)
        random = keras.random.uniform((2, self.operations, batch), seed=self.seed_generator)
        return ops.minimum(ops.floor(random[0] * count), count - 1.0), ops.where(random[1] < 0.5, -1.0, 1.0)

    def apply(self, images: Tensor, indices: Tensor, directions: Tensor) -> Tensor:
        """Applies given operations.

        Args:
            images: `(batch, height, width, 1 or 3)`, float32 in [0, 255].
            indices: `(operations, batch)`, see `sample_operations`.
            directions: `(operations, batch)`, -1 or 1.

        Returns:
            The images' shape, float32 in [0, 255].
        """
        strength = self.magnitude / 10.0
        drawn = {name: ops.cast(indices == i, "float32") for i, name in enumerate(OPERATIONS)}
        signed = {name: strength * directions * flags for name, flags in drawn.items()}
        factors = {name: ops.prod(1.0 + 0.9 * signed[name], axis=0)[:, None] for name in BLENDS}
        chosen = {name: ops.max(flags, axis=0)[:, None] for name, flags in drawn.items()}
        # Channel by channel: TensorFlow is slow where the innermost axis has three elements, and XLA would compute the
        # table again for every pixel if the table had only one use.
        planes = _map_values(ops.unstack(images, images.shape[-1], axis=-1), chosen, factors, strength)
        if len(planes) == 3:
            planes = _saturate(planes, factors["color"][:, None])
        planes = [ops.clip(_sharpen(plane, factors["sharpness"][:, None]), 0.0, 255.0) for plane in planes]
        x = ops.transpose(ops.stack(planes), (1, 2, 3, 0))
        matrix, shift = _geometry(signed, *ops.shape(x)[1:3])
        return sample_affine(x, matrix, shift, self.fill, self.fill_value)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images with 1 or 3 channels."""
        return check_image_shape(self, input_shape, channels=(1, 3))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("operations", "magnitude", "fill", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _map_values(
    planes: Sequence[Tensor], chosen: Mapping[str, Tensor], factors: Mapping[str, Tensor], strength: float
) -> list[Tensor]:
    """Planes (batch, height, width), one per channel, after all operations that map each value independently."""
    batch = ops.shape(planes[0])[0]
    first = ops.reshape(ops.arange(batch) * LEVELS, (-1, 1, 1))
    # Through uint8, so that no value, however far out of range, indexes the table of another image.
    indices = [ops.cast(ops.cast(plane + 0.5, "uint8"), "int32") + first for plane in planes]
    ones = ops.ones_like(ops.reshape(planes[0], (-1,)))
    counts = [ops.segment_sum(ones, ops.reshape(index, (-1,)), batch * LEVELS) for index in indices]
    tables = _tables(ops.reshape(ops.stack(counts), (len(planes), batch, LEVELS)), chosen, factors, strength)
    return [ops.take(ops.reshape(tables[i], (-1,)), index) for i, index in enumerate(indices)]


def _tables(counts: Tensor, chosen: Mapping[str, Tensor], factors: Mapping[str, Tensor], strength: float) -> Tensor:
    """Histograms (channels, batch, 256) -> what each value maps to, in the same shape."""
    table = ops.where(chosen["equalize"] > 0, _equalize(counts), _autocontrast(counts, chosen["autocontrast"]))
    table = ops.clip(table * factors["brightness"], 0.0, LEVELS - 1.0)
    luma = np.asarray(LUMA if counts.shape[0] == 3 else [1.0], "float32")[:, None, None]
    mean = ops.sum(table * counts * luma, axis=(0, 2)) / ops.sum(counts[0], axis=-1)
    contrast = factors["contrast"]
    table = table * contrast + (1.0 - contrast) * mean[:, None]
    multiple = 2.0 ** (round(4 * strength) * chosen["posterize"])
    table = ops.floor((ops.clip(table, 0.0, LEVELS - 1.0) + 0.5) / multiple) * multiple
    threshold = LEVELS * (1.0 - strength * chosen["solarize"])
    return ops.where(table < threshold, table, LEVELS - 1.0 - table)


def _autocontrast(counts: Tensor, chosen: Tensor) -> Tensor:
    """Tables that spread an image's values over the full range where `chosen`, (batch, 1), is 1."""
    levels = ops.arange(LEVELS, dtype="float32")
    absent = ops.where(counts > 0, 0.0, float(LEVELS))
    low = ops.min(levels + absent, axis=-1, keepdims=True)
    width = ops.max(levels - absent, axis=-1, keepdims=True) - low
    chosen = chosen[None] * ops.cast(width > 0, "float32")
    gain = 1.0 + chosen * ((LEVELS - 1.0) / ops.maximum(width, 1.0) - 1.0)
    return (levels - chosen * low) * gain


def _equalize(counts: Tensor) -> Tensor:
    """Tables that equalize an image's histogram; the rule, rounding included, is that of PIL's equalize."""
    below = ops.cumsum(counts, axis=-1) - counts
    # All pixels below the highest value are to fill all levels but one.
    step = ops.floor(ops.max(ops.where(counts > 0, below, 0.0), axis=-1, keepdims=True) / (LEVELS - 1.0))
    spread = ops.floor((below + ops.floor(step / 2.0)) / ops.maximum(step, 1.0))
    return ops.where(step > 0, ops.minimum(spread, LEVELS - 1.0), ops.arange(LEVELS, dtype="float32"))


def _saturate(planes: Sequence[Tensor], factor: Tensor) -> list[Tensor]:
    """Red, green and blue, (batch, height, width) each, with their distance from gray times a factor."""
    gray = sum(float(weight) * plane for weight, plane in zip(LUMA, planes, strict=True))
    return [gray + (plane - gray) * factor for plane in planes]


def _sharpen(plane: Tensor, factor: Tensor) -> Tensor:
    """A plane (batch, height, width) with each pixel's distance from PIL's SMOOTH times a factor.

    SMOOTH is the mean of 3 x 3 pixels with the center five times. The outermost pixels stay, as in PIL.
    """
    height, width = ops.shape(plane)[1:]
    rows = plane[:, :-2] + plane[:, 1:-1] + plane[:, 2:]
    square = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    detail = (plane[:, 1:-1, 1:-1] * 9.0 - square) * ((factor - 1.0) / 13.0)
    # A plane one pixel wide has no inside, so nothing to pad up to its size.
    return plane + ops.pad(detail, ((0, 0), (1, 1), (1, 1)))[:, :height, :width]


def _geometry(signed: Mapping[str, Tensor], height: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """All geometry of each image as the matrix (batch, 2, 2) and the shift (batch, 2) of `sample_affine`."""
    angle = math.radians(30.0) * signed["rotate"]
    cos, sin = ops.cos(angle), ops.sin(angle)
    # A draw is at most one of these, so that sums do what a choice would.
    steps = ((cos, 0.3 * signed["shear_y"] - sin), (sin + 0.3 * signed["shear_x"], cos))
    rows, columns = (0.45 * ops.cast(size, "float32") for size in (height, width))
    moves = rows * signed["translate_y"], columns * signed["translate_x"]
    matrix: Any = ((1.0, 0.0), (0.0, 1.0))
    shift: Any = (0.0, 0.0)
    # From the output back to the input: the last draw applies first, so it stands on the right.
    for k in range(angle.shape[0]):
        shift = [old + row[0] * moves[0][k] + row[1] * moves[1][k] for old, row in zip(shift, matrix, strict=True)]
        matrix = [[row[0] * steps[0][i][k] + row[1] * steps[1][i][k] for i in (0, 1)] for row in matrix]
    return ops.stack([ops.stack(row, axis=-1) for row in matrix], axis=1), ops.stack(shift, axis=-1)
