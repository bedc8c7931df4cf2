"""MobileNetV2: inverted residuals with linear bottlenecks (Sandler et al. 2018, arXiv:1801.04381)."""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.image.blocks import divisible
from tfrec.architectures.image.inverted import InvertedConfig, Stage, inverted_maps

TAKES = ("image",)
IMAGENET = {"mobilenet_v2": ("MobileNetV2", "symmetric")}
# Table 2 of the paper.
STAGES = (
    Stage(16, (1,)),
    Stage(24, (6,) * 2, strides=2),
    Stage(32, (6,) * 3, strides=2),
    Stage(64, (6,) * 4, strides=2),
    Stage(96, (6,) * 3),
    Stage(160, (6,) * 3, strides=2),
    Stage(320, (6,)),
)


@dataclasses.dataclass(frozen=True)
class Config(InvertedConfig):
    """Stages of inverted residuals; `width_multiplier` is the paper's, so the last convolution never gets narrower."""

    dropout: float = 0.2  # fraction, before the logits


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    With the small stem the picture becomes 8 times smaller, not 32. Raises ValueError for another shape.
    """
    last = divisible(1280 * max(1.0, config.width_multiplier))
    features, x = inverted_maps("mobilenet_v2", input_shape, config, STAGES, config.channels(32), last, "relu6")
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="mobilenet_v2")
