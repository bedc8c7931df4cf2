"""Conformer: self-attention for what is far, convolution for what is near (Gulati et al. 2020, arXiv:2005.08100).

The encoder, smaller than the paper's smallest (16 blocks of 144 units), with the mean of its frames for the clip.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import MaskedMean, ModelConfig, check, sequence_inputs
from tfrec.architectures.conformer_block import conformer_block, subsample
from tfrec.architectures.transformer import check_heads

TAKES = ("sequence",)


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Conformer blocks over frames."""

    width: int = 96  # units of a frame
    depth: int = 4  # blocks
    heads: int = 4  # of the attention; they share the width
    kernel: int = 15  # frames that the depthwise convolution sees; odd
    subsampling: int = 2  # how many frames become one: 1, 2, or the paper's 4
    filters: int = 32  # channels of the convolutions that do it
    dropout: float = 0.1  # fraction, of what each part of a block adds and before the logits


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` is `(frames, mels)`; `frames` may be None. The input is a dict with "features" and "frames"
    (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for another rank,
    an even kernel, another subsampling, and a width that the heads cannot share.
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
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="conformer")
