"""Inverted residuals: few channels between blocks, many inside (Sandler et al. 2018, arXiv:1801.04381).

MobileNetV2, MobileNetV3 and EfficientNet are tables of stages for the builder here.
"""

import dataclasses
from collections.abc import Callable, Sequence

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check_image
from tfrec.architectures.layers.convolution import (
    convolution,
    depthwise,
    make_divisible,
    select_evenly,
    squeeze_excite,
)
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.layers.stochastic_depth import StochasticDepth, drop_rates
from tfrec.architectures.types import Shape, Tensor


@dataclasses.dataclass(frozen=True)
class InvertedConfig(ImageModelConfig):
    """The fields that the families of inverted residuals share."""

    def channels(self, number: int) -> int:
        """Channels of a layer that has `number` in the paper, rounded as its authors do."""
        return make_divisible(number * self.width_multiplier)


@dataclasses.dataclass(frozen=True)
class Squeeze:
    """The squeeze-and-excitation of a family."""

    units: Callable[[int, int], int]  # hidden units, from the channels before the block and inside it
    activation: str  # of the hidden units
    gate: str  # activation of the factors, with values in [0, 1]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Blocks on maps of one size, with one number of channels between them."""

    channels: int
    expansions: tuple[float, ...]  # channels inside each block, as a multiple of those before it
    strides: int = 1  # of the first block
    kernel: int = 3  # of the depthwise convolutions
    activation: str = "relu6"
    squeeze: Squeeze | None = None


def inverted_maps(
    name: str,
    input_shape: Shape,
    config: InvertedConfig,
    stages: Sequence[Stage],
    stem: int,
    last: int,
    activation: str,
) -> tuple[Tensor, Tensor]:
    """A convolution, the stages, and a 1x1 convolution.

    The maps are 32 times smaller than the image; with the small stem 8 times, since neither the first convolution nor
    the first stage with a stride halves them.

    Args:
        name: of the architecture, for errors.
        input_shape: `(height, width, channels)`, all known.
        config: sizes and rates.
        stages: the table of the paper.
        stem: channels of the first convolution.
        last: channels of the last convolution.
        activation: of the first and the last convolution.

    Returns:
        The input (batch, height, width, channels) and the maps (batch, height', width', last).

    Raises:
        ValueError: for another shape.
    """
    check_image(name, input_shape)
    small = config.small_stem(input_shape)
    features = keras.Input(input_shape, name="features")
    x = convolution(features, stem, 3, "stem", strides=1 if small else 2, norm=batch_norm, activation=activation)
    plans = [select_evenly(stage.expansions, config.repeats(len(stage.expansions))) for stage in stages]
    rates = iter(drop_rates(config, sum(map(len, plans))))
    unstrided = next(stage for stage in stages if stage.strides > 1) if small else None
    for number, (stage, expansions) in enumerate(zip(stages, plans, strict=True), start=1):
        filters = config.channels(stage.channels)
        for i, expansion in enumerate(expansions):
            strides = stage.strides if i == 0 and stage is not unstrided else 1
            x = _inverted_residual(x, filters, expansion, strides, stage, next(rates), f"stage{number}_{i}")
    return features, convolution(x, last, 1, "last", norm=batch_norm, activation=activation)


def _inverted_residual(
    x: Tensor, filters: int, expansion: float, strides: int, stage: Stage, rate: float, name: str
) -> Tensor:
    """A 1x1 convolution to more channels, a depthwise one, and a 1x1 convolution to `filters` without activation.

    "same" padding equals the two steps of Keras's networks, which pad a strided convolution on its right.
    """
    shortcut, before = x, x.shape[-1]
    if expansion != 1:
        inside = make_divisible(before * expansion)
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
