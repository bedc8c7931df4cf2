"""Pixel values to the range a network was made for."""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.image_arguments import choice, float_images, image_shape, number

MODES = ("unit", "symmetric", "imagenet", "per_image", "given")
# Of the training images in RGB, values in [0, 1]; torchvision's documentation of its pretrained models.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@keras.saving.register_keras_serializable("pipelines")
class ImageNormalise(Float32Layer):
    """Pixel values in [0, 255] to those a network expects.

    Input: images (batch, height, width, channels), any dtype, values in [0, 255].
    Output: the same shape, float32.

    Modes: `unit` is x / 255, in [0, 1]; `symmetric` is x / 127.5 - 1, in [-1, 1]; `imagenet` is
    (x / 255 - mean) / std with ImageNet's statistics, for 3 channels; `given` is the same with `mean` and `std` as
    passed, in units of [0, 1], one value for every channel or one per channel; `per_image` gives every image the
    mean 0 and the variance 1 over all its values, its deviation taken as at least 1 / sqrt(number of values), so that a
    flat image comes out as zeros (the rule of tf.image.per_image_standardization).

    Raises ValueError for an unknown mode, for `mean` and `std` in any mode but `given`, for their lack in that, and for
    images whose channels do not match them.
    """

    def __init__(self, mode="unit", mean=None, std=None, **kwargs):
        super().__init__(**kwargs)
        self.mode = choice("mode", mode, MODES)
        if (mode == "given") != (mean is not None and std is not None) or (mean is None) != (std is None):
            raise ValueError(f"mean and std go with mode='given'. Received: mode={mode!r}, mean={mean}, std={std}")
        self.mean, self.std = mean, std
        if mode == "given":
            self.mean = tuple(number("mean", v) for v in mean)
            self.std = tuple(number("std", v, 1e-6) for v in std)
            if len(self.mean) != len(self.std) or not self.mean:
                raise ValueError(f"mean and std must have one length. Received: mean={mean}, std={std}")
        statistics = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "given": (self.mean, self.std)}.get(mode)
        self._channels = ()
        if statistics:
            mean, std = (np.asarray(v, "float64") for v in statistics)
            self._multiply = (1 / (255 * std)).astype("float32")
            self._add = (-mean / std).astype("float32")
            self._channels = () if len(mean) == 1 else (len(mean),)

    def call(self, images):
        """Normalised images."""
        x = float_images(self, images, self._channels)
        if self.mode == "unit":
            return x / 255.0
        if self.mode == "symmetric":
            return x / 127.5 - 1.0
        if self.mode == "per_image":
            x = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
            deviation = ops.sqrt(ops.mean(ops.square(x), axis=(1, 2, 3), keepdims=True))
            values = ops.cast(math.prod(ops.shape(x)[1:]), "float32")
            return x / ops.maximum(deviation, 1.0 / ops.sqrt(values))
        return x * self._multiply + self._add

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return image_shape(self, input_shape, self._channels)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "mode": self.mode, "mean": self.mean, "std": self.std}
