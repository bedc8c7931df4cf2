"""MobileNetV2: inverted residuals with linear bottlenecks (Sandler et al. 2018, arXiv:1801.04381)."""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.layers.convolution import make_divisible
from tfrec.architectures.layers.inverted_residual import InvertedConfig, Stage, inverted_maps
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
IMAGENET = {"mobilenet_v2": ("MobileNetV2", "symmetric")}
PARAMETERS = {"image": {"mobilenet_v2": 3_504_872}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "dropout": "0..0.5"}
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
    """Stages of inverted residuals; as in the paper, `width_multiplier` never makes the last convolution narrower."""

    dropout: float = 0.2  # fraction, before the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    With the small stem the maps are 8 times smaller than the image, not 32 times.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape.
    """
    last = make_divisible(1280 * max(1.0, config.width_multiplier))
    features, x = inverted_maps("mobilenet_v2", input_shape, config, STAGES, config.channels(32), last, "relu6")
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="mobilenet_v2")
