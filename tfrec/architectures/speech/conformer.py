"""Conformer: self-attention for distant context, convolution for near context (Gulati et al. 2020, arXiv:2005.08100).

The encoder, smaller than the paper's smallest (16 blocks of 144 units), with the mean of its frames for the clip.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.attention import check_heads
from tfrec.architectures.layers.conformer import conformer_block
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.layers.subsampling import subsample
from tfrec.architectures.types import Shape

INPUT_KINDS = ("sequence",)
PARAMETERS = {"sequence": {"conformer": 927_909}}
# A step of half a width keeps every width divisible by the heads that share it.
SEARCH_SPACE = {"width": "*0.5..1.5:step=0.5", "depth": "*0.5..1.5", "dropout": "0..0.3"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Conformer blocks over frames."""

    width: int = 96  # units of a frame
    depth: int = 4  # blocks
    heads: int = 4  # of the attention; they share the width
    kernel: int = 15  # frames that the depthwise convolution sees; odd
    subsampling: int = 2  # frames per step: 1, 2, or the paper's 4
    filters: int = 32  # channels of the subsampling convolutions
    dropout: float = 0.1  # fraction, of the output of each part of a block and before the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, mels) -> logits (batch, outputs).

    Args:
        input_shape: `(frames, mels)`; `frames` may be None.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of frames. Frames
        past it never change the logits.

    Raises:
        ValueError: for another rank, an even kernel, another subsampling, and a width that the heads cannot share.
    """
    check(len(input_shape) == 2, "conformer takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.heads, config.kernel, config.filters)
    check(min(sizes) > 0, "conformer's width, depth, heads, kernel and filters must be positive", sizes)
    check_heads(config.width, config.heads)
    inputs, x, mask = sequence_inputs(input_shape)
    x, mask = subsample(x, mask, config.width, config.filters, config.subsampling)
    if config.dropout:
        x = layers.Dropout(config.dropout, name="stem_dropout")(x)
    for i in range(config.depth):
        x = conformer_block(x, mask, config.heads, config.kernel, f"block{i}", dropout=config.dropout)
    x = MaskedMean(name="embedding")(x, mask)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="conformer")
