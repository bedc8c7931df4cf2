"""VGG: nothing but 3x3 convolutions, deep (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

import dataclasses

import keras

from tfrec.architectures.base import batch_norm, check, check_image, check_no_branches
from tfrec.architectures.image.alexnet import DenseHeadConfig, dense_head, pool
from tfrec.architectures.image.blocks import convolution

TAKES = ("image",)
IMAGENET = {"vgg16": ("VGG16", "caffe"), "vgg19": ("VGG19", "caffe")}


@dataclasses.dataclass(frozen=True)
class Config(DenseHeadConfig):
    """Stages of convolutions, each ended by a pooling that halves the picture, then dense layers."""

    depths: tuple[int, ...] = (2, 2, 3, 3, 3)  # convolutions of each stage
    batch_norm: bool = False  # after each convolution, which makes training from random weights far easier


VGG19 = Config(depths=(2, 2, 4, 4, 4))


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    With the small stem the first stage ends without its pooling. Raises ValueError for another shape, for depths below
    one, and for stochastic depth.
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
            x = pool(x, 2, name=f"stage{stage}_pool")
    logits = dense_head(x, num_classes, config, config.small_stem(input_shape))
    return keras.Model(features, logits, name="vgg")
