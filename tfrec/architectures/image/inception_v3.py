"""Inception-v3: large filters factorized into smaller and one-dimensional ones (Szegedy et al. 2015, arXiv:1512.00567).

Without the auxiliary classifier, as in Keras.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check_image, check_no_branches
from tfrec.architectures.layers.convolution import convolution, select_evenly
from tfrec.architectures.layers.inception import Conv, Pool, Step, inception
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image",)
IMAGENET = {"inception_v3": ("InceptionV3", "symmetric")}
PARAMETERS = {"image": {"inception_v3": 23_817_352}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "dropout": "0..0.5"}


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """Three stages of Inception blocks, at 299 pixels on maps of 35, 17 and 8 pixels a side."""


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    The small stem halves the map once where the large one does so three times. Below 75 pixels, and with the small
    stem, convolutions and poolings have "same" padding where the paper's have "valid".

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape and for stochastic depth.
    """
    check_image("inception_v3", input_shape)
    check_no_branches("inception_v3", config)
    small = config.small_stem(input_shape)
    padding = "same" if small or min(side or 0 for side in input_shape[:2]) < 75 else "valid"
    norm = functools.partial(batch_norm, scale=False)  # a scale before ReLU is one of the next convolution's weights
    features = keras.Input(input_shape, name="features")
    x = _stem(features, config.channels, functools.partial(convolution, norm=norm), small, padding)

    def convolve(x: Tensor, filters: int, size: int | tuple[int, int], name: str, **options: Any) -> Tensor:
        return convolution(x, config.channels(filters), size, name, norm=norm, **options)

    def repeat(x: Tensor, stage: int, make: Callable[[int], list[list[Step]]], widths: Sequence[int]) -> Tensor:
        for i, width in enumerate(select_evenly(widths, config.repeats(len(widths)))):
            x = inception(x, make(width), f"stage{stage}_{i}", convolve)
        return x

    x = repeat(x, 1, _inception_a, (32, 64, 64))
    x = inception(x, REDUCTION_B, "stage2_reduce", convolve, padding)
    x = repeat(x, 2, _inception_c, (128, 160, 160, 192))
    x = inception(x, REDUCTION_D, "stage3_reduce", convolve, padding)
    x = repeat(x, 3, _inception_e, (320, 320))
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="inception_v3")


def _stem(
    x: Tensor, channels: Callable[[int], int], convolve: Callable[..., Tensor], small: bool, padding: str
) -> Tensor:
    """The convolutions and poolings before the first stage."""
    x = convolve(x, channels(32), 3, "stem_1", strides=1 if small else 2, padding=padding)
    x = convolve(x, channels(32), 3, "stem_2", padding=padding)
    x = convolve(x, channels(64), 3, "stem_3")
    if not small:
        x = layers.MaxPooling2D(3, strides=2, padding=padding, name="stem_pool1")(x)
    x = convolve(x, channels(80), 1, "stem_4")
    x = convolve(x, channels(192), 3, "stem_5", padding=padding)
    return layers.MaxPooling2D(3, strides=2, padding=padding, name="stem_pool2")(x)


def _inception_a(pool: int) -> list[list[Step]]:
    """Figure 5, on maps of 35 pixels: one 5x5 convolution, and another as two of 3x3."""
    return [
        [Conv(64)],
        [Conv(48), Conv(64, 5)],
        [Conv(64), Conv(96, 3), Conv(96, 3)],
        [Pool("average"), Conv(pool)],
    ]


def _inception_c(width: int) -> list[list[Step]]:
    """Figure 6, on maps of 17 pixels: 7x7 as 1x7 and 7x1."""
    return [
        [Conv(192)],
        [Conv(width), Conv(width, (1, 7)), Conv(192, (7, 1))],
        [Conv(width), Conv(width, (7, 1)), Conv(width, (1, 7)), Conv(width, (7, 1)), Conv(192, (1, 7))],
        [Pool("average"), Conv(192)],
    ]


def _inception_e(one: int) -> list[list[Step]]:
    """Figure 7, on maps of 8 pixels: 1x3 and 3x1 in parallel."""
    return [
        [Conv(one)],
        [Conv(384), (Conv(384, (1, 3)), Conv(384, (3, 1)))],
        [Conv(448), Conv(384, 3), (Conv(384, (1, 3)), Conv(384, (3, 1)))],
        [Pool("average"), Conv(192)],
    ]


REDUCTION_B: list[list[Step]] = [  # figure 10, from 35 to 17 pixels
    [Conv(384, 3, strides=2)],
    [Conv(64), Conv(96, 3), Conv(96, 3, strides=2)],
    [Pool("max", strides=2)],
]
REDUCTION_D: list[list[Step]] = [  # from 17 to 8 pixels
    [Conv(192), Conv(320, 3, strides=2)],
    [Conv(192), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, strides=2)],
    [Pool("max", strides=2)],
]
