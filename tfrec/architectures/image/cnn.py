"""Convolutional network with batch normalization (LeCun et al. 1998; Ioffe & Szegedy 2015, arXiv:1502.03167).

One builder for images and for features over time: a spectrogram is an image of any width.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.pooling import pool_frames
from tfrec.architectures.layers.spectrogram_convolution import (
    frame_blocks,
    frame_vectors,
    logits_head,
    masked_convolution,
    max_pool_maps,
    to_image,
)
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image", "sequence")
PARAMETERS = {"image": {"cnn": 416_456}, "sequence": {"cnn": 288_805}}
SEARCH_SPACE = {"width": "*0.5..2:log", "depth": "1..4", "dropout": "0..0.5"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Blocks of convolutions, each ended by a pooling that halves the map; the next block has twice the channels."""

    width: int = 32  # channels of the first block
    depth: int = 3  # blocks
    convolutions: int = 2  # in each block
    time_pools: int | None = None  # number of poolings that halve time, the first ones; None is all; not for images
    frame_units: int = 0  # of a dense layer over each frame before the mean over time, or 0; not for images
    frame_blocks: int = 0  # residual convolutions over the frames after that; not for images
    pooling: Literal["mean", "attention", "statistics"] = "mean"  # over frames; not for images
    dropout: float = 0.3  # fraction, before the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) or log-mel (batch, frames, mels) -> logits (batch, outputs).

    Args:
        input_shape: `(height, width, channels)` or `(frames, mels)`; `frames` may be None.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model. For clips its input is a dict with "features" and "frames" (batch,), the true number of
        frames; frames past it never change the logits.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) in (2, 3), "cnn takes (height, width, channels) or (frames, mels)", input_shape)
    check(config.width > 0 and config.depth > 0 and config.convolutions > 0, "cnn's sizes must be positive", config)
    if len(input_shape) == 3:
        of_clips = (config.time_pools, config.frame_units, config.frame_blocks, config.pooling)
        rule = "model.time_pools, frame_units, frame_blocks and pooling are for clips, not for images"
        check(of_clips == (None, 0, 0, "mean"), rule, of_clips)
        inputs = keras.Input(input_shape, name="features")
        x, _ = convolution_blocks(inputs, None, config)
        x = layers.GlobalAveragePooling2D(name="embedding")(x)
    else:
        inputs, x, mask = sequence_inputs(input_shape)
        x, mask = convolution_blocks(to_image(x), mask, config)
        x = frame_vectors(x, mask, config.frame_units)
        x = frame_blocks(x, mask, config.frame_blocks, config.dropout / 3)
        x = pool_frames(x, mask, config.pooling)
    return keras.Model(inputs, logits_head(x, outputs, config.dropout), name="cnn")


def convolution_blocks(x: Tensor, mask: Tensor | None, config: Config) -> tuple[Tensor, Tensor | None]:
    """The blocks of a Config.

    Args:
        x: a map (batch, height, width, channels).
        mask: bool (batch, height), true inside the clip; None for images.
        config: sizes of the blocks.

    Returns:
        The smaller map and its mask.

    Raises:
        ValueError: for more poolings over time than blocks.
    """
    time_pools = config.depth if config.time_pools is None else config.time_pools
    check(0 <= time_pools <= config.depth, "model.time_pools must be from 0 to model.depth", config.time_pools)
    for block in range(config.depth):
        for i in range(config.convolutions):
            x = masked_convolution(x, mask, config.width * 2**block, name=f"block{block}_{i}")
        x, mask = max_pool_maps(x, mask, name=f"block{block}", time=block < time_pools)
    return x, mask
