"""Keyword Transformer: every frame is a token (Berg et al. 2021, arXiv:2104.00769).

The paper learns the places of its 98 frames; here the number of frames is open, so they are sinusoids, which takes 99 x
width weights away from the paper's 607, 2,394 and 5,361 thousand (for 40 mels and 12 classes). KWT normalizes after
each sum; the lighter `transformer` does so before it, which trains without a long warm-up, and averages its frames.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.base import MaskedMean, ModelConfig, check, drop_rates, sequence_inputs
from tfrec.architectures.transformer import (
    ClassToken,
    FirstToken,
    KeepClass,
    SinusoidalPosition,
    check_heads,
    transformer_block,
)

TAKES = ("sequence",)


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """A Transformer's encoder over frames."""

    width: int = 96  # units of a token: 64, 128 and 192 in KWT-1, KWT-2 and KWT-3
    depth: int = 4  # blocks
    heads: int = 4  # of the attention; they share the width
    expansion: int = 4  # units between the two dense layers of a block, in widths
    norm: Literal["pre", "post"] = "pre"  # the normalization comes before each half of a block, or after its sum
    pool: Literal["mean", "class"] = "mean"  # what the clip is: the mean of its frames, or a token of its own
    dropout: float = 0.1  # fraction, of what each part of a block adds and before the logits
    stochastic_depth: float = 0.0  # how often the last residual branch is left out; the others less, linearly


def kwt(width):
    """The paper's network of that width; its heads have 64 units."""
    return Config(width=width, depth=12, heads=width // 64, norm="post", pool="class", dropout=0.0)


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` is `(frames, mels)`; `frames` may be None. The input is a dict with "features" and "frames"
    (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for another rank,
    and for a width that the heads cannot share.
    """
    check(len(input_shape) == 2, "transformer takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.heads, config.expansion)
    check(min(sizes) > 0, "transformer's width, depth, heads and expansion must be positive", sizes)
    check_heads(config.width, config.heads)
    inputs, x, mask = sequence_inputs(input_shape)
    x = layers.Dense(config.width, name="stem_project")(x)
    x = SinusoidalPosition(name="stem_position")(x)
    keep = mask
    if config.pool == "class":
        x = ClassToken(name="stem_class")(x)
        keep = KeepClass(name="stem_keep")(mask)
    if config.dropout:
        x = layers.Dropout(config.dropout, name="stem_dropout")(x)
    first = config.norm == "pre"
    attention = {"heads": config.heads, "size": config.width // config.heads, "qkv_bias": False}
    for i, rate in enumerate(drop_rates(config, config.depth)):
        units = config.expansion * config.width
        x = transformer_block(
            x, attention, units, f"block{i}", rate, dropout=config.dropout, norm_first=first, keep=keep
        )
    if first:
        x = layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    x = FirstToken(name="embedding")(x) if config.pool == "class" else MaskedMean(name="embedding")(x, mask)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="transformer")
