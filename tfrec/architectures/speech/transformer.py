"""Keyword Transformer: every frame is a token (Berg et al. 2021, arXiv:2104.00769).

The paper learns the positions of its 98 frames; here the number of frames is open, so they are sinusoids, which removes
99 x width weights from the paper's 607, 2,394 and 5,361 thousand (for 40 mels and 12 outputs). KWT normalizes after
each sum; the lighter `transformer` does so before it, which trains without a long warm-up, and averages its frames.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.attention import check_heads
from tfrec.architectures.layers.class_token import ClassToken, FirstToken, KeepClass
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.layers.positions import SinusoidalPosition
from tfrec.architectures.layers.stochastic_depth import drop_rates
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.types import Shape

INPUT_KINDS = ("sequence",)
PARAMETERS = {"sequence": {"kwt_1": 599_237, "kwt_2": 2_378_117, "kwt_3": 5_336_645, "transformer": 448_901}}
# A step of half a width keeps every width divisible by the heads that share it.
SEARCH_SPACE = {"width": "*0.5..1.5:step=0.5", "depth": "*0.5..1.5", "dropout": "0..0.3"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """A Transformer's encoder over frames."""

    width: int = 96  # units of a token: 64, 128 and 192 in KWT-1, KWT-2 and KWT-3
    depth: int = 4  # blocks
    heads: int = 4  # of the attention; they share the width
    expansion: int = 4  # units between the two dense layers of a block, as a multiple of the width
    norm: Literal["pre", "post"] = "pre"  # normalization before each half of a block, or after its sum
    pool: Literal["mean", "class"] = "mean"  # vector of the clip: the mean of its frames, or a class token
    dropout: float = 0.1  # fraction, of the output of each part of a block and before the logits
    stochastic_depth: float = 0.0  # probability of dropping the last residual branch; rises linearly with depth


def kwt(width: int) -> Config:
    """The paper's network of a width.

    Args:
        width: units of a token, a multiple of the 64 units of a head.

    Returns:
        Its config.
    """
    return Config(width=width, depth=12, heads=width // 64, norm="post", pool="class", dropout=0.0)


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
        ValueError: for another rank, and for a width that the heads cannot share.
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
    units = config.expansion * config.width
    for i, rate in enumerate(drop_rates(config, config.depth)):
        x = transformer_block(
            x, attention, units, f"block{i}", rate, dropout=config.dropout, norm_first=first, keep=keep
        )
    if first:
        x = layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    x = FirstToken(name="embedding")(x) if config.pool == "class" else MaskedMean(name="embedding")(x, mask)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="transformer")
