"""GoogLeNet, the first Inception network (Szegedy et al. 2014, arXiv:1409.4842).

With the paper's 5x5 convolutions, where some take 3x3; without its two auxiliary classifiers and without local response
normalization. Every convolution is normalized instead (Ioffe & Szegedy 2015, arXiv:1502.03167); `batch_norm=False` is
the paper's plain one, with 6,998,552 weights for 1000 classes.
"""

import dataclasses
import functools

import keras
from keras import layers

from tfrec.architectures.base import ImageModelConfig, batch_norm, check_image, check_no_branches
from tfrec.architectures.image.blocks import Conv, Pool, convolution, inception, stretched

TAKES = ("image",)
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
    """Three stages of inceptions, each begun by a pooling that halves the picture."""

    batch_norm: bool = True  # after each convolution; without it training from random weights is hard
    dropout: float = 0.4  # fraction, before the logits


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    The small stem begins with a 3x3 convolution that does not stride, and no pooling after it. Raises ValueError for
    another shape and for stochastic depth.
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
    for number, inceptions in STAGES.items():
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"stage{number}_pool")(x)
        for i, widths in enumerate(stretched(inceptions, config.repeats(len(inceptions)))):
            one, reduce3, three, reduce5, five, pool = map(config.channels, widths)
            branches = [
                [Conv(one)],
                [Conv(reduce3), Conv(three, 3)],
                [Conv(reduce5), Conv(five, 5)],
                [Pool(), Conv(pool)],
            ]
            x = inception(x, branches, f"stage{number}_{i}", convolve)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="googlenet")
