"""SqueezeNet: AlexNet's accuracy with a fiftieth of its weights (Iandola et al. 2016, arXiv:1602.07360).

Version 1.1 is the authors' later one, with 2.4 times fewer operations (github.com/forresti/SqueezeNet).
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check_image, check_no_branches
from tfrec.architectures.layers.convolution import convolution, select_evenly
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"squeezenet": 1_235_496, "squeezenet_1_0": 1_248_424, "squeezenet_1_1": 1_235_496}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "dropout": "0..0.7"}
# Channels and size of the first convolution, then the fire modules between poolings, each by its squeezed channels.
VERSIONS = {
    "1.0": (96, 7, ((16, 16, 32), (32, 48, 48, 64), (64,))),
    "1.1": (64, 3, ((16, 16), (32, 32), (48, 48, 64, 64))),
}


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """Fire modules: few channels, then four times as many each from 1x1 and from 3x3 convolutions."""

    version: Literal["1.0", "1.1"] = "1.1"  # 1.1 has fewer operations
    dropout: float = 0.5  # fraction, before the last convolution


V1_0 = Config(version="1.0")


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    There is no dense layer: a logit is the mean of its own map. That map may be negative; after the paper's ReLU an
    output can stay at zero for good where there are few outputs. The small stem neither strides nor pools.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape and for stochastic depth.
    """
    check_image("squeezenet", input_shape)
    check_no_branches("squeezenet", config)
    filters, size, stages = VERSIONS[config.version]
    x = features = keras.Input(input_shape, name="features")
    small = config.small_stem(input_shape)
    x = convolution(x, config.channels(filters), 3 if small else size, "stem", strides=1 if small else 2)
    for number, fires in enumerate(stages, start=1):
        if number > 1 or not small:
            x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"stage{number}_pool")(x)
        for i, squeezed in enumerate(select_evenly(fires, config.repeats(len(fires)))):
            x = _fire(x, config.channels(squeezed), config.channels(4 * squeezed), f"stage{number}_{i}")
    x = layers.Identity(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = convolution(x, outputs, 1, "classes", activation=None)
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="squeezenet")


def _fire(x: Tensor, squeezed: int, expanded: int, name: str) -> Tensor:
    """A fire module: 1x1 to few channels, then 1x1 and 3x3 in parallel."""
    x = convolution(x, squeezed, 1, f"{name}_squeeze")
    one = convolution(x, expanded, 1, f"{name}_one")
    three = convolution(x, expanded, 3, f"{name}_three")
    return layers.Concatenate(name=f"{name}_concat")([one, three])
