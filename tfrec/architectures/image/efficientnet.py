"""EfficientNet: width, depth and resolution scaled together (Tan & Le 2019, arXiv:1905.11946)."""

import dataclasses
import math

import keras
from keras import layers

from tfrec.architectures.base import check
from tfrec.architectures.image.blocks import divisible
from tfrec.architectures.image.inverted import InvertedConfig, Squeeze, Stage, inverted_maps

TAKES = ("image",)
IMAGENET = {f"efficientnet_b{i}": (f"EfficientNetB{i}", "imagenet") for i in range(8)}
SQUEEZE = Squeeze(lambda before, inside: max(1, before // 4), activation="silu", gate="sigmoid")
# Table 1 of the paper: channels, expansion, blocks, strides and kernel of each stage of B0.
STAGES = tuple(
    Stage(channels, (expansion,) * blocks, strides, kernel, "silu", SQUEEZE)
    for channels, expansion, blocks, strides, kernel in (
        (16, 1, 1, 1, 3),
        (24, 6, 2, 2, 3),
        (40, 6, 2, 2, 5),
        (80, 6, 3, 2, 3),
        (112, 6, 3, 1, 5),
        (192, 6, 4, 2, 5),
        (320, 6, 1, 1, 3),
    )
)
# Width 1.1 ** phi, depth 1.2 ** phi and pixels a side 224 * 1.15 ** phi, for phi = 0, 0.5, 1, 2, 3.5, 5, 6 and 7, as
# the authors rounded them (github.com/tensorflow/tpu, models/official/efficientnet); and dropout. The pixels are what
# the published weights were trained at: `frontend.height` and `frontend.width`.
SCALES = {
    "efficientnet_b0": (1.0, 1.0, 224, 0.2),
    "efficientnet_b1": (1.0, 1.1, 240, 0.2),
    "efficientnet_b2": (1.1, 1.2, 260, 0.3),
    "efficientnet_b3": (1.2, 1.4, 300, 0.3),
    "efficientnet_b4": (1.4, 1.8, 380, 0.4),
    "efficientnet_b5": (1.6, 2.2, 456, 0.4),
    "efficientnet_b6": (1.8, 2.6, 528, 0.5),
    "efficientnet_b7": (2.0, 3.1, 600, 0.5),
}


@dataclasses.dataclass(frozen=True)
class Config(InvertedConfig):
    """Stages of inverted residuals, scaled from B0; `width_multiplier` and `depth_multiplier` scale what comes out."""

    width_coefficient: float = 1.0  # of the channels of B0
    depth_coefficient: float = 1.0  # of the blocks of each stage of B0, rounded up
    dropout: float = 0.2  # fraction, before the logits
    stochastic_depth: float = 0.2  # how often the last residual branch is left out; the others less, linearly

    def __post_init__(self):
        super().__post_init__()
        for field in ("width_coefficient", "depth_coefficient"):
            check(getattr(self, field) > 0, f"model.{field} must be above 0", getattr(self, field))

    def channels(self, number):
        """Channels of a layer that has `number` in B0."""
        return super().channels(divisible(number * self.width_coefficient))

    def repeats(self, number):
        """Blocks of a stage that has `number` in B0."""
        return super().repeats(math.ceil(number * self.depth_coefficient))


def scaled(name):
    """The config of one of the names in SCALES."""
    width, depth, _, dropout = SCALES[name]
    return Config(width_coefficient=width, depth_coefficient=depth, dropout=dropout)


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    With the small stem the picture becomes 8 times smaller, not 32. Raises ValueError for another shape.
    """
    stem, last = config.channels(32), config.channels(1280)
    features, x = inverted_maps("efficientnet", input_shape, config, STAGES, stem, last, "silu")
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="efficientnet")
