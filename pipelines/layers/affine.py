"""Affine transforms of images."""

from keras import ops

from pipelines.layers.base import Tensor

FILLS = ("constant", "edge", "reflect")


def sample_affine(
    images: Tensor, matrix: Tensor, shift: Tensor, fill: str = "constant", fill_value: float = 0.0
) -> Tensor:
    """Samples each image bilinearly at an affine map of its pixel grid.

    The output's pixel p = (y, x) is the input at c + matrix @ (p - c) + shift, where c = ((height - 1) / 2,
    (width - 1) / 2) is the center.

    Args:
        images: `(batch, height, width, channels)`, float32.
        matrix: `(batch, 2, 2)`.
        shift: `(batch, 2)`, pixels, y first.
        fill: Content outside the image: `constant` fades into `fill_value` within one pixel, `edge` repeats the last
            pixel, `reflect` mirrors at the pixel's outer edge (d c b a | a b c d | d c b a).
        fill_value: The constant of fill `constant`.

    Returns:
        `(batch, height, width, channels)`, float32.
    """
    batch, height, width, channels = ops.shape(images)
    center_y, center_x = (ops.cast(size - 1, "float32") / 2.0 for size in (height, width))
    down = ops.reshape(ops.arange(height, dtype="float32") - center_y, (1, -1, 1))
    across = ops.reshape(ops.arange(width, dtype="float32") - center_x, (1, 1, -1))
    yy, yx, xy, xx = (ops.reshape(matrix[:, row, column], (-1, 1, 1)) for row in (0, 1) for column in (0, 1))
    y = yy * down + (yx * across + (ops.reshape(shift[:, 0], (-1, 1, 1)) + center_y))
    x = xx * across + (xy * down + (ops.reshape(shift[:, 1], (-1, 1, 1)) + center_x))
    # What lies outside is in a border, one pixel before and two after, so that no corner of a cell needs a mask.
    images = ops.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=fill_value)
    y, x = _to_padded(y, height, fill), _to_padded(x, width, fill)
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


def _to_padded(position: Tensor, size: Tensor, fill: str) -> Tensor:
    """Positions on an image's axis of `size` as positions on the same axis with its border."""
    last = ops.cast(size - 1, "float32")
    if fill == "constant":
        return ops.clip(position, -1.0, last + 1.0) + 1.0
    if fill == "reflect":
        length = last + 1.0
        position = length - ops.abs(ops.mod(position + 0.5, 2.0 * length) - length) - 0.5
    return ops.clip(position, 0.0, last) + 1.0
