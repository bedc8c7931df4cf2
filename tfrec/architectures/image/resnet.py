"""Residual networks (He et al. 2016, arXiv:1512.03385).

As in the paper, bottleneck blocks stride in their first convolution; their convolutions have biases, as the published
weights of Keras do. Basic blocks have no biases. Every branch ends in zeros at initialization, so that a block passes
its input on (Goyal et al. 2017, arXiv:1706.02677, section 5.1).

With `attention` every branch ends in factors of its channels (squeeze-and-excitation, Hu et al. 2018, arXiv:1709.01507)
or of its channels and places (CBAM, Woo et al. 2018, arXiv:1807.06521), both with a 16th of the channels hidden.
`resnet_attention` is ResNet-18 with CBAM, 11.78 million weights in that paper's table 4.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check, check_image
from tfrec.architectures.layers.cbam import cbam
from tfrec.architectures.layers.convolution import squeeze_excite
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.layers.stochastic_depth import StochasticDepth, drop_rates
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image",)
IMAGENET = {name: (f"ResNet{name[6:]}", "caffe") for name in ("resnet50", "resnet101", "resnet152")}
PARAMETERS = {
    "image": {
        "resnet18": 11_689_512,
        "resnet34": 21_797_672,
        "resnet50": 25_583_592,
        "resnet101": 44_601_832,
        "resnet152": 60_268_520,
        "resnet_attention": 11_779_392,
    }
}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "stochastic_depth": "0..0.3"}
EPSILON = 1.001e-5  # of Keras's ResNet
REDUCTION, MIN_UNITS = 16, 4  # channels for each hidden unit of the attention; these of narrow networks


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """Stages of residual blocks; each stage but the first halves the map and doubles the channels."""

    block: Literal["basic", "bottleneck"] = "bottleneck"  # basic: two 3x3; bottleneck: 1x1, 3x3, and 1x1 to 4 times
    depths: tuple[int, ...] = (3, 4, 6, 3)  # blocks of each stage
    attention: Literal["none", "squeeze_excitation", "cbam"] = "none"  # at the end of each block's branch


RESNET18 = Config(block="basic", depths=(2, 2, 2, 2))
RESNET34 = Config(block="basic")
RESNET101 = Config(depths=(3, 4, 23, 3))
RESNET152 = Config(depths=(3, 8, 36, 3))
ATTENTION = Config(block="basic", depths=(2, 2, 2, 2), attention="cbam")


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    The small stem is one 3x3 convolution; the map keeps the image's size up to the second stage.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape and for depths below one.
    """
    features, x = residual_maps("resnet", input_shape, config)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="resnet")


def residual_maps(name: str, input_shape: Shape, config: Config) -> tuple[Tensor, Tensor]:
    """The stem and the stages.

    Args:
        name: of the architecture, for errors.
        input_shape: `(height, width, channels)`, all known.
        config: see `Config`.

    Returns:
        The input (batch, height, width, channels) and the maps of the last stage (batch, height', width', n).

    Raises:
        ValueError: for another shape and for depths below one.
    """
    check_image(name, input_shape)
    check(config.depths and min(config.depths) > 0, "model.depths must be one or more positive numbers", config.depths)
    features = keras.Input(input_shape, name="features")
    bias = config.block == "bottleneck"
    if config.small_stem(input_shape):
        x = _convolution(features, config.channels(64), 3, "stem", bias=bias)
    else:
        x = _convolution(features, config.channels(64), 7, "stem", strides=2, bias=bias)
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # nothing is below 0 after ReLU
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    depths = [config.repeats(depth) for depth in config.depths]
    rates = iter(drop_rates(config, sum(depths)))
    block = {"basic": _basic, "bottleneck": _bottleneck}[config.block]
    for stage, depth in enumerate(depths):
        for i in range(depth):
            strides = 2 if stage > 0 and i == 0 else 1
            start = f"stage{stage + 1}_{i}"
            shortcut, x = block(x, config.channels(64 * 2**stage), strides, start)
            x = _add(shortcut, _attended(x, config.attention, start), next(rates), start)
    return features, x


def _basic(x: Tensor, filters: int, strides: int, name: str) -> tuple[Tensor, Tensor]:
    """The shortcut, and two 3x3 convolutions."""
    shortcut = _shortcut(x, filters, strides, False, name)
    x = _convolution(x, filters, 3, f"{name}_1", strides)
    return shortcut, _convolution(x, filters, 3, f"{name}_2", last=True)


def _bottleneck(x: Tensor, filters: int, strides: int, name: str) -> tuple[Tensor, Tensor]:
    """The shortcut, and 1x1, 3x3, and 1x1 to four times the channels."""
    shortcut = _shortcut(x, 4 * filters, strides, True, name)
    x = _convolution(x, filters, 1, f"{name}_1", strides, bias=True)
    x = _convolution(x, filters, 3, f"{name}_2", bias=True)
    return shortcut, _convolution(x, 4 * filters, 1, f"{name}_3", bias=True, last=True)


def _shortcut(x: Tensor, filters: int, strides: int, bias: bool, name: str) -> Tensor:
    """The block's input, projected where the branch changes its shape."""
    if strides == 1 and x.shape[-1] == filters:
        return x
    x = layers.Conv2D(filters, 1, strides, use_bias=bias, kernel_initializer="he_normal", name=f"{name}_0_conv")(x)
    return batch_norm(f"{name}_0_norm", EPSILON)(x)


def _convolution(
    x: Tensor, filters: int, size: int, name: str, strides: int = 1, bias: bool = False, last: bool = False
) -> Tensor:
    """Convolution, batch normalization and ReLU; the last of a branch starts as zeros and leaves ReLU to the sum."""
    padding = "same"
    if strides > 1 and size > 1:
        # "same" pads even sizes on one side only: the branch would be a pixel off the shortcut.
        x, padding = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x), "valid"
    x = layers.Conv2D(
        filters, size, strides, padding, use_bias=bias, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    norm = batch_norm(f"{name}_norm", EPSILON)
    if last:
        norm.gamma_initializer = keras.initializers.Zeros()
        return norm(x)
    return layers.ReLU(name=f"{name}_relu")(norm(x))


def _attended(x: Tensor, attention: str, name: str) -> Tensor:
    """The end of a branch, scaled by what its maps say."""
    units = max(MIN_UNITS, x.shape[-1] // REDUCTION)
    if attention == "squeeze_excitation":
        return squeeze_excite(x, units, f"{name}_attention")
    return cbam(x, units, f"{name}_attention") if attention == "cbam" else x


def _add(shortcut: Tensor, x: Tensor, rate: float, name: str) -> Tensor:
    """Shortcut plus branch, and ReLU."""
    if rate:
        x = StochasticDepth(rate, name=f"{name}_drop")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)
