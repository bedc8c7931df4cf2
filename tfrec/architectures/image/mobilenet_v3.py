"""MobileNetV3: inverted residuals found by architecture search (Howard et al. 2019, arXiv:1905.02244).

With hard-swish and squeeze-and-excitation, as in Keras.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.layers.convolution import make_divisible
from tfrec.architectures.layers.inverted_residual import InvertedConfig, Squeeze, Stage, inverted_maps
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
IMAGENET = {
    "mobilenet_v3_large": ("MobileNetV3Large", "symmetric"),
    "mobilenet_v3_small": ("MobileNetV3Small", "symmetric"),
}
PARAMETERS = {"image": {"mobilenet_v3_large": 5_483_032, "mobilenet_v3_small": 2_542_856}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "dropout": "0..0.5"}
SQUEEZE = Squeeze(lambda before, inside: make_divisible(inside / 4), activation="relu", gate="hard_sigmoid")
# Tables 1 and 2 of the paper, their "exp size" as a multiple of the channels before the block.
STAGES = {
    "large": (
        Stage(16, (1,), activation="relu"),
        Stage(24, (4, 3), strides=2, activation="relu"),
        Stage(40, (3, 3, 3), strides=2, kernel=5, activation="relu", squeeze=SQUEEZE),
        Stage(80, (6, 2.5, 2.3, 2.3), strides=2, activation="hard_swish"),
        Stage(112, (6, 6), activation="hard_swish", squeeze=SQUEEZE),
        Stage(160, (6, 6, 6), strides=2, kernel=5, activation="hard_swish", squeeze=SQUEEZE),
    ),
    "small": (
        Stage(16, (1,), strides=2, activation="relu", squeeze=SQUEEZE),
        Stage(24, (72 / 16, 88 / 24), strides=2, activation="relu"),
        Stage(40, (4, 6, 6), strides=2, kernel=5, activation="hard_swish", squeeze=SQUEEZE),
        Stage(48, (3, 3), kernel=5, activation="hard_swish", squeeze=SQUEEZE),
        Stage(96, (6, 6, 6), strides=2, kernel=5, activation="hard_swish", squeeze=SQUEEZE),
    ),
}
HIDDEN = {"large": 1280, "small": 1024}


@dataclasses.dataclass(frozen=True)
class Config(InvertedConfig):
    """Stages of inverted residuals; `width_multiplier` widens the head, but never makes it or the stem narrower."""

    size: Literal["large", "small"] = "large"  # which of the paper's two networks
    dropout: float = 0.2  # fraction, before the logits


SMALL = Config(size="small")


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    With the small stem the maps are 8 times smaller than the image, not 32 times. The head consists of 1x1 convolutions
    on the pooled map, as Keras's weights do.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape.
    """
    stages = STAGES[config.size]
    last = make_divisible(6 * config.channels(stages[-1].channels))
    features, x = inverted_maps("mobilenet_v3", input_shape, config, stages, 16, last, "hard_swish")
    x = layers.GlobalAveragePooling2D(keepdims=True, name="embedding")(x)
    hidden = make_divisible(HIDDEN[config.size] * max(1.0, config.width_multiplier))
    x = layers.Conv2D(hidden, 1, activation="hard_swish", name="hidden")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = layers.Conv2D(outputs, 1, dtype="float32", name="classes")(x)
    logits = layers.Flatten(dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="mobilenet_v3")
