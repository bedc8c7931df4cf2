"""The operations of AutoAugment's family, all operations of an image fused into a few passes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from pipelines.layers.affine import sample_affine
from pipelines.layers.base import Tensor
from pipelines.layers.image_color import LUMA

LEVELS = 256


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Operations:
    """What is done to each image of a batch.

    Attributes:
        autocontrast: 1 where an image's values spread over the full range, else 0; `(batch, 1)`, as up to `sharpness`.
        equalize: 1 where an image's histogram is equalized, in place of autocontrast.
        removed_bits: Bits that posterize sets to 0.
        solarize_threshold: Values from it on are inverted; 256 for none.
        brightness: Factor of the values; None for no image.
        contrast: Factor of the distance from the mean gray; None for no image.
        color: Factor of the distance from gray; None for no image.
        sharpness: Factor of the distance from the smoothed image; None for no image.
        rotate: Radians; `(draws, batch)`, as the others.
        shear_x: Pixels per pixel.
        shear_y: Pixels per pixel.
        translate_x: Pixels.
        translate_y: Pixels.
    """

    autocontrast: Tensor
    equalize: Tensor
    removed_bits: Tensor
    solarize_threshold: Tensor
    brightness: Tensor | None = None
    contrast: Tensor | None = None
    color: Tensor | None = None
    sharpness: Tensor | None = None
    rotate: Tensor
    shear_x: Tensor
    shear_y: Tensor
    translate_x: Tensor
    translate_y: Tensor


def apply_operations(images: Tensor, operations: Operations, fill: str, fill_value: float) -> Tensor:
    """Applies operations in a fixed order, so that the cost does not grow with their number.

    Equalize, or else autocontrast; brightness; contrast; posterize; solarize (up to here one table of 256 whole values
    per image and channel); color; sharpness; last all geometry, in the order drawn, about the center, as one affine map
    with one bilinear interpolation. Nothing is clipped or rounded between color and sharpness.

    Args:
        images: `(batch, height, width, 1 or 3)`, float32 in [0, 255].
        operations: The operations of each image.
        fill: Content outside the image, see `sample_affine`.
        fill_value: The constant of fill `constant`.

    Returns:
        The images' shape, float32 in [0, 255].
    """
    # Channel by channel: TensorFlow is slow where the innermost axis has three elements, and XLA would compute the
    # table again for every pixel if the table had only one use.
    planes = _map_values(ops.unstack(images, images.shape[-1], axis=-1), operations)
    if len(planes) == 3 and operations.color is not None:
        planes = _saturate(planes, operations.color[:, None])
    if operations.sharpness is not None:
        planes = [_sharpen(plane, operations.sharpness[:, None]) for plane in planes]
    x = ops.transpose(ops.stack([ops.clip(plane, 0.0, LEVELS - 1.0) for plane in planes]), (1, 2, 3, 0))
    matrix, shift = _geometry(operations)
    return sample_affine(x, matrix, shift, fill, fill_value)


def _map_values(planes: Sequence[Tensor], operations: Operations) -> list[Tensor]:
    """Planes (batch, height, width), one per channel, after all operations that map each value independently."""
    batch = ops.shape(planes[0])[0]
    first = ops.reshape(ops.arange(batch) * LEVELS, (-1, 1, 1))
    # Through uint8, so that no value, however far out of range, indexes the table of another image.
    indices = [ops.cast(ops.cast(plane + 0.5, "uint8"), "int32") + first for plane in planes]
    ones = ops.ones_like(ops.reshape(planes[0], (-1,)))
    counts = [ops.segment_sum(ones, ops.reshape(index, (-1,)), batch * LEVELS) for index in indices]
    tables = _tables(ops.reshape(ops.stack(counts), (len(planes), batch, LEVELS)), operations)
    return [ops.take(ops.reshape(tables[i], (-1,)), index) for i, index in enumerate(indices)]


def _tables(counts: Tensor, operations: Operations) -> Tensor:
    """Histograms (channels, batch, 256) -> what each value maps to, in the same shape."""
    table = ops.where(operations.equalize > 0, _equalize(counts), _autocontrast(counts, operations.autocontrast))
    if operations.brightness is not None:
        table = ops.clip(table * operations.brightness, 0.0, LEVELS - 1.0)
    if operations.contrast is not None:
        luma = np.asarray(LUMA if counts.shape[0] == 3 else [1.0], "float32")[:, None, None]
        mean = ops.sum(table * counts * luma, axis=(0, 2)) / ops.sum(counts[0], axis=-1)
        table = table * operations.contrast + (1.0 - operations.contrast) * mean[:, None]
    multiple = 2.0**operations.removed_bits
    table = ops.floor((ops.clip(table, 0.0, LEVELS - 1.0) + 0.5) / multiple) * multiple
    return ops.where(table < operations.solarize_threshold, table, LEVELS - 1.0 - table)


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


def _geometry(operations: Operations) -> tuple[Tensor, Tensor]:
    """All geometry of each image as the matrix (batch, 2, 2) and the shift (batch, 2) of `sample_affine`."""
    cos, sin = ops.cos(operations.rotate), ops.sin(operations.rotate)
    # A draw is at most one of these, so that sums do what a choice would.
    steps = ((cos, operations.shear_y - sin), (sin + operations.shear_x, cos))
    moves = operations.translate_y, operations.translate_x
    matrix: Any = ((1.0, 0.0), (0.0, 1.0))
    shift: Any = (0.0, 0.0)
    # From the output back to the input: the last draw applies first, so it stands on the right.
    for k in range(cos.shape[0]):
        shift = [old + row[0] * moves[0][k] + row[1] * moves[1][k] for old, row in zip(shift, matrix, strict=True)]
        matrix = [[row[0] * steps[0][i][k] + row[1] * steps[1][i][k] for i in (0, 1)] for row in matrix]
    return ops.stack([ops.stack(row, axis=-1) for row in matrix], axis=1), ops.stack(shift, axis=-1)
