"""MobileNetV3: inverted residuals that a search found (Howard et al. 2019, arXiv:1905.02244).

With hard-swish and squeeze-and-excitation, as in Keras.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.image.blocks import divisible
from tfrec.architectures.image.inverted import InvertedConfig, Squeeze, Stage, inverted_maps

TAKES = ("image",)
IMAGENET = {
    "mobilenet_v3_large": ("MobileNetV3Large", "symmetric"),
    "mobilenet_v3_small": ("MobileNetV3Small", "symmetric"),
}
SQUEEZE = Squeeze(lambda before, inside: divisible(inside / 4), activation="relu", gate="hard_sigmoid")
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


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    With the small stem the picture becomes 8 times smaller, not 32. The head is made of 1x1 convolutions on the pooled
    map, as Keras's weights are. Raises ValueError for another shape.
    """
    stages = STAGES[config.size]
    last = divisible(6 * config.channels(stages[-1].channels))
    features, x = inverted_maps("mobilenet_v3", input_shape, config, stages, 16, last, "hard_swish")
    x = layers.GlobalAveragePooling2D(keepdims=True, name="embedding")(x)
    hidden = divisible(HIDDEN[config.size] * max(1.0, config.width_multiplier))
    x = layers.Conv2D(hidden, 1, activation="hard_swish", name="hidden")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = layers.Conv2D(num_classes, 1, dtype="float32", name="classes")(x)
    logits = layers.Flatten(dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="mobilenet_v3")
