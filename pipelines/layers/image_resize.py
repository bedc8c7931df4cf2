"""Images of any size to one size: aspect ratio kept, center cropped, as networks are evaluated."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Float32Layer, Shape, Tensor
from pipelines.layers.image_checks import check_choice, check_image_shape, check_number


def _triangle(distance: Tensor) -> Tensor:
    """The kernel of linear interpolation."""
    return ops.maximum(1.0 - ops.abs(distance), 0.0)


def _keys_cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel with a = -1/2 (Keys 1981, IEEE Transactions on ASSP 29(6), equation 15)."""
    d = ops.abs(distance)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return ops.where(d <= 1.0, near, ops.where(d < 2.0, far, 0.0))


KERNELS = {"bilinear": _triangle, "bicubic": _keys_cubic}


@keras.saving.register_keras_serializable("pipelines")
class ImageResize(Float32Layer):
    """Resizes images to (height, width): scales with the aspect ratio kept, then crops about the center.

    The image is scaled, up or down, by the one factor that makes it just cover (height / crop_fraction,
    width / crop_fraction); the output is the central (height, width) of that. With `crop_fraction` 1 an image of the
    target's aspect ratio stays whole, and another loses equal strips at the two ends of its longer side. With 0.875,
    which is 224 of 256, it loses a frame around the center, too. The crop need not start at a whole pixel: scaling and
    cropping are one resampling, with no rounding of sizes between them.

    When the image shrinks, the kernel widens with it (antialiasing, as in Pillow). An image that already has the target
    size stays the same when `crop_fraction` is 1.

    Args:
        height: Height of the output, pixels.
        width: Width of the output, pixels.
        crop_fraction: Fraction of the scaled image's sides that the crop keeps, above 0 and at most 1.
        interpolation: `bilinear` or `bicubic`; the latter's overshoot is clipped to [0, 255].
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self, height: int, width: int, crop_fraction: float = 1.0, interpolation: str = "bilinear", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("height", height), ("width", width)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of pixels, at least 1. Received: {value!r}")
        self.height, self.width = height, width
        self.crop_fraction = check_number("crop_fraction", crop_fraction, 1e-3, 1.0)
        self.interpolation = check_choice("interpolation", interpolation, KERNELS)

    def call(self, images: Tensor) -> Tensor:
        """Resizes images.

        Args:
            images: `(batch, any height, any width, channels)`, any dtype, values in [0, 255].

        Returns:
            `(batch, height, width, channels)`, float32 in [0, 255], not rounded.

        Raises:
            ValueError: The input is not a batch of images.
        """
        if self.crop_fraction == 1.0 and check_image_shape(self, images.shape)[1:3] == (self.height, self.width):
            return ops.cast(images, "float32")
        rows, columns, channels = check_image_shape(self, ops.shape(images))[1:]
        (top, bottom, down), (left, right, across) = self.plan(rows, columns)
        x = ops.cast(images[:, top:bottom, left:right], "float32")
        # Two matrix products: the resize operations of the backends do not all compile under XLA.
        x = ops.matmul(down, ops.reshape(x, (-1, bottom - top, (right - left) * channels)))
        return self.resize_columns(ops.reshape(x, (-1, self.height, right - left, channels)), across)

    def plan(self, rows: Tensor, columns: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Plans the resampling of images of a size.

        Args:
            rows: Height of the images: an int, or a tensor where it is not known.
            columns: Their width.

        Returns:
            For rows and for columns: the first one that the crop needs, the one after the last, and the weights
            `(target, last - first)` of these in each of the output's.
        """
        # In float64, since a position near 1000 in float32 would be wrong by 1e-4 pixels.
        smaller = min if isinstance(rows, int) and isinstance(columns, int) else ops.minimum
        step = self.crop_fraction * smaller(_float64(rows) / self.height, _float64(columns) / self.width)
        top, bottom = _source_interval(rows, self.height, step)
        left, right = _source_interval(columns, self.width, step)
        down = self._weights(rows, top, bottom, self.height, step)
        return (top, bottom, down), (left, right, self._weights(columns, left, right, self.width, step))

    def resize_columns(self, x: Tensor, weights: Tensor) -> Tensor:
        """Resamples the columns of images whose rows are resampled already.

        Args:
            x: `(batch, height, columns, channels)`, float32.
            weights: Of the columns, `(width, columns)`.

        Returns:
            `(batch, height, width, channels)`, float32.
        """
        columns, channels = ops.shape(x)[2:]
        across = ops.transpose(weights)
        x = ops.transpose(x, (0, 1, 3, 2))
        # One product with the many rows first is faster than einsum's many small ones.
        x = ops.reshape(ops.matmul(ops.reshape(x, (-1, columns)), across), (-1, self.height, channels, self.width))
        x = ops.transpose(x, (0, 1, 3, 2))
        return ops.clip(x, 0.0, 255.0) if self.interpolation == "bicubic" else x

    def _weights(self, size: Tensor, first: Tensor, last: Tensor, target: int, step: Tensor) -> Tensor:
        """Weights (target, last - first) of the input's pixels `first` to `last` in each of the output's pixels."""
        offsets = np.arange(target) - (target - 1) / 2
        middle = (_float64(size) - 1) / 2
        if isinstance(step, float):  # in NumPy, since JAX has no float64 by default
            center = offsets * step + middle
            below = np.floor(center)
            pixels = np.arange(first, last)
            fraction, distance = (center - below).astype("float32"), (pixels - below[:, None]).astype("float32")
            scale = np.float32(max(step, 1.0))
        else:
            center = ops.convert_to_tensor(offsets) * step + middle
            below = ops.floor(center)
            pixels = ops.arange(first, last, dtype="int32")
            fraction = ops.cast(center - below, "float32")
            distance = ops.cast(pixels - ops.cast(below, "int32")[:, None], "float32")
            scale = ops.cast(ops.maximum(step, 1.0), "float32")
        weights = KERNELS[self.interpolation]((distance - fraction[:, None]) / scale)
        return weights / ops.sum(weights, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`(batch, height, width, channels)`; raises ValueError unless the input's shape is that of images."""
        batch, _, _, channels = check_image_shape(self, input_shape)
        return batch, self.height, self.width, channels

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "crop_fraction": self.crop_fraction,
            "interpolation": self.interpolation,
        }


def _float64(size: Tensor) -> Tensor:
    """A size as a Python float where it is known, else as a float64 tensor."""
    return float(size) if isinstance(size, int) else ops.cast(size, "float64")


def _source_interval(size: Tensor, target: int, step: Tensor) -> tuple[Tensor, Tensor]:
    """The first of `size` pixels that the crop needs and the one after the last, with some to spare."""
    if not isinstance(step, float):
        reach = (target - 1) / 2 * step + 2 * ops.maximum(step, 1.0) + 1
        middle = (_float64(size) - 1) / 2
        first, last = ops.cast(ops.floor(middle - reach), "int32"), ops.cast(ops.ceil(middle + reach), "int32")
        return ops.maximum(first, 0), ops.minimum(last + 1, size)
    # In plain numbers where sizes are known, because XLA needs slices of known size.
    reach = (target - 1) / 2 * step + 2 * max(step, 1.0) + 1
    return max(math.floor((size - 1) / 2 - reach), 0), min(math.ceil((size - 1) / 2 + reach) + 1, size)
