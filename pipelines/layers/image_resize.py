"""Pictures of any size to one size, as networks are evaluated: keep the aspect ratio, crop the center."""

import math

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.image_arguments import choice, image_shape, number


def _triangle(distance):
    return ops.maximum(1.0 - ops.abs(distance), 0.0)


def _keys_cubic(distance):
    """The cubic convolution kernel with a = -1/2 (Keys 1981, IEEE Transactions on ASSP 29(6), equation 15)."""
    d = ops.abs(distance)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return ops.where(d <= 1.0, near, ops.where(d < 2.0, far, 0.0))


def _float64(size):
    return float(size) if isinstance(size, int) else ops.cast(size, "float64")


KERNELS = {"bilinear": _triangle, "bicubic": _keys_cubic}


@keras.saving.register_keras_serializable("pipelines")
class ImageResize(Float32Layer):
    """Pictures of any size to (height, width): scaled with their aspect ratio kept, then cropped about the center.

    Input: images (batch, any height, any width, channels), any dtype, values in [0, 255].
    Output: (batch, height, width, channels), float32, values in [0, 255], not rounded.

    The picture is scaled, up or down, by the one factor that makes it just cover (height / crop_fraction,
    width / crop_fraction); of that the central (height, width) is returned. So with `crop_fraction` 1 a picture of the
    target's aspect ratio is seen whole, and another loses equal strips at the two ends of its longer side; with 0.875,
    which is 224 of 256, the frame around the center goes as well. The crop need not start at a whole pixel: scaling and
    cropping are one resampling, with no rounding of sizes between them.

    When the picture shrinks, the kernel widens with it (antialiasing, as in Pillow). A picture that has the target size
    already comes out exactly as it is when `crop_fraction` is 1. `interpolation` is `bilinear` or `bicubic`; the
    latter's overshoot is clipped to [0, 255].

    Raises ValueError for sizes below 1, a crop_fraction outside (0, 1], an unknown interpolation.
    """

    def __init__(self, height, width, crop_fraction=1.0, interpolation="bilinear", **kwargs):
        super().__init__(**kwargs)
        for name, value in (("height", height), ("width", width)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of pixels, at least 1. Received: {value!r}")
        self.height, self.width = height, width
        self.crop_fraction = number("crop_fraction", crop_fraction, 1e-3, 1.0)
        self.interpolation = choice("interpolation", interpolation, KERNELS)

    def call(self, images):
        """Images of the one size."""
        if self.crop_fraction == 1.0 and image_shape(self, images.shape)[1:3] == (self.height, self.width):
            return ops.cast(images, "float32")
        rows, columns, channels = image_shape(self, ops.shape(images))[1:]
        # In float64, since a position near 1000 in float32 would be wrong by 1e-4 pixels.
        smaller = min if isinstance(rows, int) and isinstance(columns, int) else ops.minimum
        step = self.crop_fraction * smaller(_float64(rows) / self.height, _float64(columns) / self.width)
        top, bottom = self._seen(rows, self.height, step)
        left, right = self._seen(columns, self.width, step)
        x = ops.cast(images[:, top:bottom, left:right], "float32")
        # Two matrix products: the resize operations of the backends do not all compile under XLA.
        down = self._weights(rows, top, bottom, self.height, step)
        across = ops.transpose(self._weights(columns, left, right, self.width, step))
        x = ops.matmul(down, ops.reshape(x, (-1, bottom - top, (right - left) * channels)))
        x = ops.transpose(ops.reshape(x, (-1, self.height, right - left, channels)), (0, 1, 3, 2))
        # One product with the many rows first is faster than einsum's many small ones.
        x = ops.reshape(ops.matmul(ops.reshape(x, (-1, right - left)), across), (-1, self.height, channels, self.width))
        x = ops.transpose(x, (0, 1, 3, 2))
        return ops.clip(x, 0.0, 255.0) if self.interpolation == "bicubic" else x

    def _seen(self, size, target, step):
        """The first of `size` pixels that the crop needs and the one after the last, some to spare."""
        if not isinstance(step, float):
            reach = (target - 1) / 2 * step + 2 * ops.maximum(step, 1.0) + 1
            middle = (_float64(size) - 1) / 2
            first, last = ops.cast(ops.floor(middle - reach), "int32"), ops.cast(ops.ceil(middle + reach), "int32")
            return ops.maximum(first, 0), ops.minimum(last + 1, size)
        # In plain numbers where sizes are known, because XLA needs slices of known size.
        reach = (target - 1) / 2 * step + 2 * max(step, 1.0) + 1
        return max(math.floor((size - 1) / 2 - reach), 0), min(math.ceil((size - 1) / 2 + reach) + 1, size)

    def _weights(self, size, first, last, target, step):
        """What each of the pixels `first` to `last` gives to each of `target` pixels that lie `step` apart."""
        center = (ops.arange(target, dtype="float64") - (target - 1) / 2) * step + (_float64(size) - 1) / 2
        below = ops.floor(center)
        fraction = ops.cast(center - below, "float32")
        pixels = ops.arange(first, last, dtype="int32")
        distance = ops.cast(pixels - ops.cast(below, "int32")[:, None], "float32") - fraction[:, None]
        weights = KERNELS[self.interpolation](distance / ops.cast(ops.maximum(step, 1.0), "float32"))
        return weights / ops.sum(weights, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape):
        """(batch, height, width, channels)."""
        batch, _, _, channels = image_shape(self, input_shape)
        return batch, self.height, self.width, channels

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "crop_fraction": self.crop_fraction,
            "interpolation": self.interpolation,
        }
