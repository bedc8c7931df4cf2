"""Normalization of pixel values."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Float32Layer, Shape, Tensor
from pipelines.layers.image_checks import check_choice, check_image_shape, check_number, to_float_images

MODES = ("unit", "symmetric", "imagenet", "caffe", "per_image", "given")
# Of the training images in RGB, values in [0, 1]; torchvision's documentation of its pretrained models.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Of the same images; Simonyan and Zisserman's Caffe models take values in [0, 255] and the channels as BGR.
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)


@keras.saving.register_keras_serializable("pipelines")
class ImageNormalize(Float32Layer):
    """Normalizes pixel values to the range that a network expects.

    Modes:

    - `unit`: x / 255, in [0, 1]
    - `symmetric`: x / 127.5 - 1, in [-1, 1]
    - `imagenet`: (x / 255 - mean) / std with ImageNet's statistics
    - `caffe`: x - mean of RGB images with the channels reversed to BGR, which networks published with Caffe expect
    - `given`: as `imagenet` with the arguments `mean` and `std`
    - `per_image`: mean 0 and variance 1 over all values of an image. The standard deviation counts as at least
      1 / sqrt(number of values), so that a flat image becomes zeros (the rule of tf.image.per_image_standardization).

    `imagenet` and `caffe` take 3 channels or 1: a gray image uses the averages of the three channels' statistics.

    Args:
        mode: One of the modes.
        mean: For mode `given`, in units of [0, 1]: one value for every channel or one per channel.
        std: Standard deviation, likewise.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: The mode is unknown, lacks `mean` or `std`, or takes none.
    """

    def __init__(
        self,
        mode: str = "unit",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode = check_choice("mode", mode, MODES)
        if (mode == "given") != (mean is not None and std is not None) or (mean is None) != (std is None):
            raise ValueError(f"mean and std go with mode='given'. Received: mode={mode!r}, mean={mean}, std={std}")
        self.mean = None if mean is None else tuple(check_number("mean", value) for value in mean)
        self.std = None if std is None else tuple(check_number("std", value, 1e-6) for value in std)
        self._channels: tuple[int, ...] = (1, 3) if mode in ("imagenet", "caffe") else ()
        if self.mean is not None and self.std is not None:
            if len(self.mean) != len(self.std) or not self.mean:
                raise ValueError(f"mean and std must have one length. Received: mean={mean}, std={std}")
            if len(self.mean) > 1:
                self._channels = (len(self.mean),)
        self._statistics: Any = {
            "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
            "caffe": (CAFFE_MEAN, CAFFE_STD),
            "given": (self.mean, self.std),
        }.get(mode)

    def call(self, images: Tensor) -> Tensor:
        """Normalizes images.

        Args:
            images: `(batch, height, width, channels)`, any dtype, values in [0, 255].

        Returns:
            The input's shape, float32.

        Raises:
            ValueError: The input is not a batch of images whose channels fit the mode.
        """
        x = to_float_images(self, images, self._channels)
        if self.mode == "unit":
            return x / 255.0
        if self.mode == "symmetric":
            return x / 127.5 - 1.0
        if self.mode == "per_image":
            x = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
            deviation = ops.sqrt(ops.mean(ops.square(x), axis=(1, 2, 3), keepdims=True))
            values = ops.cast(math.prod(ops.shape(x)[1:]), "float32")
            return x / ops.maximum(deviation, 1.0 / ops.sqrt(values))
        mean, std = (np.array(values) for values in self._statistics)
        if x.shape[-1] == 1:
            mean, std = mean.mean(), std.mean()
        x = x * (1 / (255 * std)).astype("float32") + (-mean / std).astype("float32")
        return x[..., ::-1] if self.mode == "caffe" else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images whose channels fit the mode."""
        return check_image_shape(self, input_shape, self._channels)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "mode": self.mode, "mean": self.mean, "std": self.std}
