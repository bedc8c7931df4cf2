"""Residual networks (He et al. 2016, arXiv:1512.03385).

Blocks with a bottleneck stride in their first convolution, as in the paper, and their convolutions have biases, as the
published weights of Keras; basic blocks have none. At first every branch ends in zeros, so that a block passes on what
it gets (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.base import ImageModelConfig, StochasticDepth, batch_norm, check, check_image, drop_rates

TAKES = ("image",)
IMAGENET = {name: (f"ResNet{name[6:]}", "caffe") for name in ("resnet50", "resnet101", "resnet152")}
EPSILON = 1.001e-5  # of Keras's ResNet


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """Stages of residual blocks; each stage but the first halves the picture, and doubles the channels."""

    block: Literal["basic", "bottleneck"] = "bottleneck"  # basic: two 3x3; bottleneck: 1x1, 3x3, and 1x1 to 4 times
    depths: tuple[int, ...] = (3, 4, 6, 3)  # blocks of each stage


RESNET18 = Config(block="basic", depths=(2, 2, 2, 2))
RESNET34 = Config(block="basic")
RESNET101 = Config(depths=(3, 4, 23, 3))
RESNET152 = Config(depths=(3, 8, 36, 3))


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    The small stem is one 3x3 convolution; the picture keeps its size up to the second stage. Raises ValueError for
    another shape and for depths below one.
    """
    check_image("resnet", input_shape)
    check(config.depths and min(config.depths) > 0, "model.depths must be one or more positive numbers", config.depths)
    features = keras.Input(input_shape, name="features")
    bias = config.block == "bottleneck"
    if config.small_stem(input_shape):
        x = _convolution(features, config.channels(64), 3, "stem", bias=bias)
    else:
        x = _convolution(features, config.channels(64), 7, "stem", strides=2, bias=bias)
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # after ReLU nothing is below 0
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    depths = [config.repeats(depth) for depth in config.depths]
    rates = iter(drop_rates(config, sum(depths)))
    residual = {"basic": _basic, "bottleneck": _bottleneck}[config.block]
    for stage, depth in enumerate(depths):
        for i in range(depth):
            strides = 2 if stage > 0 and i == 0 else 1
            x = residual(x, config.channels(64 * 2**stage), strides, next(rates), name=f"stage{stage + 1}_{i}")
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="resnet")


def _basic(x, filters, strides, rate, name):
    shortcut = _shortcut(x, filters, strides, False, name)
    x = _convolution(x, filters, 3, f"{name}_1", strides)
    x = _convolution(x, filters, 3, f"{name}_2", last=True)
    return _sum(shortcut, x, rate, name)


def _bottleneck(x, filters, strides, rate, name):
    shortcut = _shortcut(x, 4 * filters, strides, True, name)
    x = _convolution(x, filters, 1, f"{name}_1", strides, bias=True)
    x = _convolution(x, filters, 3, f"{name}_2", bias=True)
    x = _convolution(x, 4 * filters, 1, f"{name}_3", bias=True, last=True)
    return _sum(shortcut, x, rate, name)


def _shortcut(x, filters, strides, bias, name):
    """The block's input, projected where the branch changes its shape."""
    if strides == 1 and x.shape[-1] == filters:
        return x
    x = layers.Conv2D(filters, 1, strides, use_bias=bias, kernel_initializer="he_normal", name=f"{name}_0_conv")(x)
    return batch_norm(f"{name}_0_norm", EPSILON)(x)


def _convolution(x, filters, size, name, strides=1, bias=False, last=False):
    """Convolution, batch norm and ReLU; the last of a branch starts as zeros and leaves ReLU to the sum."""
    padding = "same"
    if strides > 1 and size > 1:
        # "same" pads even sizes on one side alone: the branch would lie a pixel beside the shortcut.
        x, padding = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x), "valid"
    x = layers.Conv2D(
        filters, size, strides, padding, use_bias=bias, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    norm = batch_norm(f"{name}_norm", EPSILON)
    if last:
        norm.gamma_initializer = keras.initializers.Zeros()
        return norm(x)
    return layers.ReLU(name=f"{name}_relu")(norm(x))


def _sum(shortcut, x, rate, name):
    if rate:
        x = StochasticDepth(rate, name=f"{name}_drop")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)
