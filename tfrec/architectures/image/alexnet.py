"""AlexNet in one tower (Krizhevsky et al. 2012; Krizhevsky 2014, "One weird trick", arXiv:1404.5997).

The widths are those of 2012, both towers together, every map seen by every filter: 62,378,344 weights for 1000 classes
at 224 or 227 pixels. Local response normalization is left out: on normalized features it is all but a constant factor,
and it made nothing better (Simonyan & Zisserman 2015, section 4.1).
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import ImageModelConfig, check, check_image, check_no_branches
from tfrec.architectures.image.blocks import convolution

TAKES = ("image",)


@dataclasses.dataclass(frozen=True)
class DenseHeadConfig(ImageModelConfig):
    """What the networks with hidden dense layers have in common."""

    dropout: float = 0.5  # fraction, after each hidden dense layer and before the logits
    # Units of the two dense layers after flattening; 0 is none of them, the map's mean instead; None is 4096, or 0 with
    # the small stem.
    fc_units: int | None = None

    def __post_init__(self):
        super().__post_init__()
        check(self.fc_units is None or self.fc_units >= 0, "model.fc_units must be 0 or more", self.fc_units)


@dataclasses.dataclass(frozen=True)
class Config(DenseHeadConfig):
    """Five convolutions, three of them before a pooling, then dense layers."""


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    The small stem has 3x3 filters that go on by one pixel, in place of 11x11 filters that go on by four. Raises
    ValueError for another shape, for images too small for the large stem, and for stochastic depth.
    """
    check_image("alexnet", input_shape)
    check_no_branches("alexnet", config)
    x = features = keras.Input(input_shape, name="features")
    if config.small_stem(input_shape):
        x = convolution(x, config.channels(96), 3, "stem")
    else:
        check(min(input_shape[:2]) >= 7, "alexnet's large stem takes at least 7 pixels", tuple(input_shape))
        x = layers.ZeroPadding2D(2, name="stem_pad")(x)
        x = convolution(x, config.channels(96), 11, "stem", strides=4, padding="valid")
    x = pool(x, 3, name="stem_pool")
    for i in range(config.repeats(1)):
        x = convolution(x, config.channels(256), 5, f"stage1_{i}")
    x = pool(x, 3, name="stage1_pool")
    for i in range(config.repeats(2)):
        x = convolution(x, config.channels(384), 3, f"stage2_{i}")
    for i in range(config.repeats(1)):
        x = convolution(x, config.channels(256), 3, f"stage3_{i}")
    x = pool(x, 3, name="stage3_pool")
    logits = dense_head(x, num_classes, config, config.small_stem(input_shape))
    return keras.Model(features, logits, name="alexnet")


def pool(x, size, name):
    """The largest of size x size, two pixels further each time; a map smaller than that does not vanish."""
    padding = "valid" if min(x.shape[1:3]) >= size else "same"
    return layers.MaxPooling2D(size, strides=2, padding=padding, name=name)(x)


def dense_head(x, num_classes, config, small):
    """A map (batch, height, width, channels) -> logits, as a DenseHeadConfig says; `small` is for the small stem."""
    units = config.fc_units
    if units is None:
        units = 0 if small else 4096
    if units:
        x = layers.Identity(name="embedding")(x)
        x = layers.Flatten(name="flatten")(x)
        for i in (1, 2):
            dense = layers.Dense(
                config.channels(units), activation="relu", kernel_initializer="he_normal", name=f"fc{i}"
            )
            x = layers.Dropout(config.dropout, name=f"dropout{i}")(dense(x))
    else:
        x = layers.GlobalAveragePooling2D(name="embedding")(x)
        x = layers.Dropout(config.dropout, name="dropout")(x)
    start = keras.initializers.RandomNormal(stddev=0.01)  # as the paper; poolings make the map large
    return layers.Dense(num_classes, kernel_initializer=start, dtype="float32", name="logits")(x)
