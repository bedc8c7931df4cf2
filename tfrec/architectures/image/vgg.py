"""VGG: 3x3 convolutions only, many layers (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

import dataclasses

import keras

from tfrec.architectures.config import check, check_image, check_no_branches
from tfrec.architectures.layers.convolution import convolution
from tfrec.architectures.layers.dense_head import DenseHeadConfig, dense_head, max_pool
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
IMAGENET = {"vgg16": ("VGG16", "caffe"), "vgg19": ("VGG19", "caffe")}
PARAMETERS = {"image": {"vgg16": 138_357_544, "vgg19": 143_667_240}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "batch_norm": "true,false", "dropout": "0..0.7"}


@dataclasses.dataclass(frozen=True)
class Config(DenseHeadConfig):
    """Stages of convolutions, each ended by a pooling that halves the map, then dense layers."""

    depths: tuple[int, ...] = (2, 2, 3, 3, 3)  # convolutions of each stage
    batch_norm: bool = False  # after each convolution, which makes training from random weights far easier


VGG19 = Config(depths=(2, 2, 4, 4, 4))


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    With the small stem the first stage has no pooling.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape, for depths below one, and for stochastic depth.
    """
    check_image("vgg", input_shape)
    check_no_branches("vgg", config)
    check(config.depths and min(config.depths) > 0, "model.depths must be one or more positive numbers", config.depths)
    x = features = keras.Input(input_shape, name="features")
    for stage, depth in enumerate(config.depths, start=1):
        filters = config.channels(min(64 * 2 ** (stage - 1), 512))
        for i in range(config.repeats(depth)):
            x = convolution(x, filters, 3, f"stage{stage}_{i}", norm=batch_norm if config.batch_norm else None)
        if stage > 1 or not config.small_stem(input_shape):
            x = max_pool(x, 2, name=f"stage{stage}_pool")
    logits = dense_head(x, outputs, config, config.small_stem(input_shape))
    return keras.Model(features, logits, name="vgg")
