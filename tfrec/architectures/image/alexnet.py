"""AlexNet in one tower (Krizhevsky et al. 2012; Krizhevsky 2014, "One weird trick", arXiv:1404.5997).

The widths are those of 2012, both towers together, and every filter sees every map: 62,378,344 weights for 1000 classes
at 224 or 227 pixels. Local response normalization is left out: on normalized features it is close to a constant factor,
and it did not improve accuracy (Simonyan & Zisserman 2015, section 4.1).
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import check, check_image, check_no_branches
from tfrec.architectures.layers.convolution import convolution
from tfrec.architectures.layers.dense_head import DenseHeadConfig, dense_head, max_pool
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"alexnet": 62_378_344}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "dropout": "0..0.7"}


@dataclasses.dataclass(frozen=True)
class Config(DenseHeadConfig):
    """Five convolutions, three of them before a pooling, then dense layers."""


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    The small stem has 3x3 filters with a stride of 1 in place of 11x11 filters with a stride of 4.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape, for images too small for the large stem, and for stochastic depth.
    """
    check_image("alexnet", input_shape)
    check_no_branches("alexnet", config)
    x = features = keras.Input(input_shape, name="features")
    if config.small_stem(input_shape):
        x = convolution(x, config.channels(96), 3, "stem")
    else:
        smallest = min(side or 0 for side in input_shape[:2])
        check(smallest >= 7, "alexnet's large stem takes at least 7 pixels", tuple(input_shape))
        x = layers.ZeroPadding2D(2, name="stem_pad")(x)
        x = convolution(x, config.channels(96), 11, "stem", strides=4, padding="valid")
    x = max_pool(x, 3, name="stem_pool")
    for i in range(config.repeats(1)):
        x = convolution(x, config.channels(256), 5, f"stage1_{i}")
    x = max_pool(x, 3, name="stage1_pool")
    for i in range(config.repeats(2)):
        x = convolution(x, config.channels(384), 3, f"stage2_{i}")
    for i in range(config.repeats(1)):
        x = convolution(x, config.channels(256), 3, f"stage3_{i}")
    x = max_pool(x, 3, name="stage3_pool")
    logits = dense_head(x, outputs, config, config.small_stem(input_shape))
    return keras.Model(features, logits, name="alexnet")
