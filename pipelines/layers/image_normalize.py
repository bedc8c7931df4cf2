"""Pixel values to the range a network was made for."""

import math

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.image_arguments import choice, float_images, image_shape, number

MODES = ("unit", "symmetric", "imagenet", "caffe", "per_image", "given")
# Of the training images in RGB, values in [0, 1]; torchvision's documentation of its pretrained models.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Of the same images; Simonyan & Zisserman's Caffe models, which see values in [0, 255] and the channels as BGR.
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)


@keras.saving.register_keras_serializable("pipelines")
class ImageNormalize(Float32Layer):
    """Pixel values in [0, 255] to those a network expects.

    Input: images (batch, height, width, channels), any dtype, values in [0, 255].
    Output: the same shape, float32.

    Modes: `unit` is x / 255, in [0, 1]; `symmetric` is x / 127.5 - 1, in [-1, 1]; `imagenet` is
    (x / 255 - mean) / std with ImageNet's statistics; `caffe` is x - mean with the channels in reverse, BGR, for RGB
    images: what the networks published with Caffe expect; `given` is as `imagenet` with `mean` and `std` as passed, in
    units of [0, 1], one value for every channel or one per channel; `per_image` gives every image the mean 0 and the
    variance 1 over all its values, its deviation taken as at least 1 / sqrt(number of values), so that a flat image
    comes out as zeros (the rule of tf.image.per_image_standardization). `imagenet` and `caffe` take 3 channels or 1: a
    gray image meets the averages of the three channels' statistics.

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
        self._statistics = {
            "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
            "caffe": (CAFFE_MEAN, CAFFE_STD),
            "given": (self.mean, self.std),
        }.get(mode)
        self._channels = {"imagenet": (1, 3), "caffe": (1, 3)}.get(mode, ())
        if mode == "given" and len(self.mean) > 1:
            self._channels = (len(self.mean),)

    def call(self, images):
        """Normalized images."""
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
        mean, std = (np.array(values) for values in self._statistics)
        if x.shape[-1] == 1:
            mean, std = mean.mean(), std.mean()
        x = x * (1 / (255 * std)).astype("float32") + (-mean / std).astype("float32")
        return x[..., ::-1] if self.mode == "caffe" else x

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return image_shape(self, input_shape, self._channels)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "mode": self.mode, "mean": self.mean, "std": self.std}
