"""SqueezeNet: AlexNet's accuracy with a fiftieth of its weights (Iandola et al. 2016, arXiv:1602.07360).

Version 1.1 is the authors' later one, with 2.4 times fewer operations (github.com/forresti/SqueezeNet).
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.base import ImageModelConfig, check_image, check_no_branches
from tfrec.architectures.image.blocks import convolution, stretched

TAKES = ("image",)
# Channels and size of the first convolution, then the fires between poolings, each by its squeezed channels.
VERSIONS = {
    "1.0": (96, 7, ((16, 16, 32), (32, 48, 48, 64), (64,))),
    "1.1": (64, 3, ((16, 16), (32, 32), (48, 48, 64, 64))),
}


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """Fires: few channels, then four times as many from 1x1 and from 3x3 convolutions."""

    version: Literal["1.0", "1.1"] = "1.1"  # 1.1 has fewer operations
    dropout: float = 0.5  # fraction, before the convolution that ends in the classes


V1_0 = Config(version="1.0")


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    There is no dense layer: a logit is the mean of a class's own map. That map may be negative; the paper's ReLU can
    silence a class for good where there are few. The small stem neither strides nor pools. Raises ValueError for
    another shape and for stochastic depth.
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
        for i, squeezed in enumerate(stretched(fires, config.repeats(len(fires)))):
            x = _fire(x, config.channels(squeezed), config.channels(4 * squeezed), f"stage{number}_{i}")
    x = layers.Identity(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = convolution(x, num_classes, 1, "classes", activation=None)
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="squeezenet")


def _fire(x, squeezed, expanded, name):
    x = convolution(x, squeezed, 1, f"{name}_squeeze")
    one = convolution(x, expanded, 1, f"{name}_one")
    three = convolution(x, expanded, 3, f"{name}_three")
    return layers.Concatenate(name=f"{name}_concat")([one, three])
