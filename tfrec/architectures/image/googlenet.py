"""GoogLeNet, the first Inception network (Szegedy et al. 2014, arXiv:1409.4842).

With the paper's 5x5 convolutions, where some implementations take 3x3; without its two auxiliary classifiers and local
response normalization. Every convolution is normalized instead (Ioffe & Szegedy 2015, arXiv:1502.03167);
`batch_norm=False` is the paper's plain network, with 6,998,552 weights for 1000 classes.
"""

import dataclasses
import functools

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check_image, check_no_branches
from tfrec.architectures.layers.convolution import convolution, select_evenly
from tfrec.architectures.layers.inception import Conv, Pool, Step, inception
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
# The 6,998,552 of the published network, whose 7,280 biases are an offset and a scale here.
PARAMETERS = {"image": {"googlenet": 7_005_832}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "dropout": "0..0.7"}
# Table 1 of the paper, stages 3 to 5: 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool proj.
STAGES = {
    3: ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    4: (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    5: ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
}


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """Three stages of Inception blocks, each after a pooling that halves the map."""

    batch_norm: bool = True  # after each convolution; without it training from random weights is hard
    dropout: float = 0.4  # fraction, before the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    The small stem begins with a 3x3 convolution without a stride, and no pooling after it.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape and for stochastic depth.
    """
    check_image("googlenet", input_shape)
    check_no_branches("googlenet", config)
    convolve = functools.partial(convolution, norm=batch_norm if config.batch_norm else None)
    x = features = keras.Input(input_shape, name="features")
    if config.small_stem(input_shape):
        x = convolve(x, config.channels(64), 3, "stem_1")
    else:
        x = convolve(x, config.channels(64), 7, "stem_1", strides=2)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    x = convolve(x, config.channels(64), 1, "stem_2")
    x = convolve(x, config.channels(192), 3, "stem_3")
    for number, blocks in STAGES.items():
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"stage{number}_pool")(x)
        for i, widths in enumerate(select_evenly(blocks, config.repeats(len(blocks)))):
            one, reduce3, three, reduce5, five, pool = map(config.channels, widths)
            branches: list[list[Step]] = [
                [Conv(one)],
                [Conv(reduce3), Conv(three, 3)],
                [Conv(reduce5), Conv(five, 5)],
                [Pool(), Conv(pool)],
            ]
            x = inception(x, branches, f"stage{number}_{i}", convolve)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="googlenet")
