"""EfficientNet: width, depth and resolution scaled together (Tan & Le 2019, arXiv:1905.11946)."""

import dataclasses
import math

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.convolution import make_divisible
from tfrec.architectures.layers.inverted_residual import InvertedConfig, Squeeze, Stage, inverted_maps
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
IMAGENET = {f"efficientnet_b{i}": (f"EfficientNetB{i}", "imagenet") for i in range(8)}
PARAMETERS = {
    "image": {
        "efficientnet_b0": 5_288_548,
        "efficientnet_b1": 7_794_184,
        "efficientnet_b2": 9_109_994,
        "efficientnet_b3": 12_233_232,
        "efficientnet_b4": 19_341_616,
        "efficientnet_b5": 30_389_784,
        "efficientnet_b6": 43_040_704,
        "efficientnet_b7": 66_347_960,
    }
}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "dropout": "0..0.5"}
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
# the authors rounded them (github.com/tensorflow/tpu, models/official/efficientnet); and dropout. The published weights
# were trained at these pixels: `frontend.height` and `frontend.width`.
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
    """Stages of inverted residuals, scaled from B0; `width_multiplier` and `depth_multiplier` scale the result."""

    width_coefficient: float = 1.0  # multiplies the channels of B0
    depth_coefficient: float = 1.0  # multiplies the blocks of each stage of B0, rounded up
    dropout: float = 0.2  # fraction, before the logits
    stochastic_depth: float = 0.2  # probability of dropping the last residual branch; rises linearly with depth

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("width_coefficient", "depth_coefficient"):
            check(getattr(self, field) > 0, f"model.{field} must be above 0", getattr(self, field))

    def channels(self, number: int) -> int:
        """Channels of a layer that has `number` in B0."""
        return super().channels(make_divisible(number * self.width_coefficient))

    def repeats(self, number: int) -> int:
        """Blocks of a stage that has `number` in B0."""
        return super().repeats(math.ceil(number * self.depth_coefficient))


def scaled(name: str) -> Config:
    """The config of a published scale.

    Args:
        name: a key of SCALES.

    Returns:
        Its coefficients and dropout.
    """
    width, depth, _, dropout = SCALES[name]
    return Config(width_coefficient=width, depth_coefficient=depth, dropout=dropout)


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
    stem, last = config.channels(32), config.channels(1280)
    features, x = inverted_maps("efficientnet", input_shape, config, STAGES, stem, last, "silu")
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="efficientnet")
