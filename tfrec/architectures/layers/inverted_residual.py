"""Networks of inverted residuals: few channels between blocks, many inside (Sandler et al. 2018, arXiv:1801.04381).

MobileNetV2, MobileNetV3 and EfficientNet are tables of stages for the builder here.
"""

import dataclasses
from collections.abc import Callable

import keras
from keras import layers

from tfrec.architectures.base import ImageModelConfig, StochasticDepth, batch_norm, check_image, drop_rates
from tfrec.architectures.image.blocks import convolution, depthwise, divisible, squeeze_excite, stretched


@dataclasses.dataclass(frozen=True)
class InvertedConfig(ImageModelConfig):
    """What the families of inverted residuals have in common."""

    def channels(self, number):
        """Channels of a layer that the paper gives `number`, rounded as its authors do."""
        return divisible(number * self.width_multiplier)


@dataclasses.dataclass(frozen=True)
class Squeeze:
    """How a family squeezes and excites."""

    units: Callable[[int, int], int]  # the hidden units, from the channels before the block and inside it
    activation: str  # of the hidden units
    gate: str  # the activation that ends in [0, 1]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Blocks on maps of one size, with one number of channels between them."""

    channels: int
    expansions: tuple[float, ...]  # of each block: how many times the channels inside are those before it
    strides: int = 1  # of the first block
    kernel: int = 3  # of the depthwise convolutions
    activation: str = "relu6"
    squeeze: Squeeze | None = None


def inverted_maps(name, input_shape, config, stages, stem, last, activation):
    """The input, images (batch, height, width, channels), and the maps before the pooling.

    A convolution to `stem` channels, the stages, and a convolution to `last` channels, the first and the last with
    `activation`. The picture becomes 32 times smaller; 8 times with the small stem, where neither the first convolution
    nor the first stage that halves the maps does so. Raises ValueError for another shape.
    """
    check_image(name, input_shape)
    small = config.small_stem(input_shape)
    features = keras.Input(input_shape, name="features")
    x = convolution(features, stem, 3, "stem", strides=1 if small else 2, norm=batch_norm, activation=activation)
    plans = [stretched(stage.expansions, config.repeats(len(stage.expansions))) for stage in stages]
    rates = iter(drop_rates(config, sum(map(len, plans))))
    whole = next(stage for stage in stages if stage.strides > 1) if small else None
    for number, (stage, expansions) in enumerate(zip(stages, plans, strict=True), start=1):
        filters = config.channels(stage.channels)
        for i, expansion in enumerate(expansions):
            strides = stage.strides if i == 0 and stage is not whole else 1
            x = _inverted_residual(x, filters, expansion, strides, stage, next(rates), f"stage{number}_{i}")
    return features, convolution(x, last, 1, "last", norm=batch_norm, activation=activation)


def _inverted_residual(x, filters, expansion, strides, stage, rate, name):
    """1x1 to more channels, a depthwise convolution of them, and 1x1 to `filters`, without an activation.

    "same" padding is what Keras's networks do in two steps, by padding a strided convolution on its right.
    """
    shortcut, before = x, x.shape[-1]
    if expansion != 1:
        inside = divisible(before * expansion)
        x = convolution(x, inside, 1, f"{name}_expand", norm=batch_norm, activation=stage.activation)
    x = depthwise(x, stage.kernel, f"{name}_depthwise", strides, norm=batch_norm, activation=stage.activation)
    if stage.squeeze:
        units = stage.squeeze.units(before, x.shape[-1])
        x = squeeze_excite(x, units, f"{name}_se", stage.squeeze.activation, stage.squeeze.gate)
    x = convolution(x, filters, 1, f"{name}_project", norm=batch_norm, activation=None)
    if strides > 1 or before != filters:
        return x
    if rate:
        x = StochasticDepth(rate, name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])
