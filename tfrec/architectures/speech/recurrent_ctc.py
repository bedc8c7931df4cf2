"""Recurrent networks that transcribe: stacked LSTM or GRU layers under CTC (Graves et al. 2013, arXiv:1303.5778).

Convolutions in front shorten time, which the paper does not have: a step of 40 ms instead of 10 makes the recurrence
four times shorter and still gives every character its step. In one direction the network is causal, front included.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.base import ModelConfig, check, sequence_inputs
from tfrec.architectures.conformer_block import subsample
from tfrec.architectures.parts import ctc_head
from tfrec.architectures.speech.recurrent import normalized, recurrent

TAKES = ("sequence",)
GIVES = "tokens"
# The last layer whose steps know their own frames and those before, by the name in the registry.
CAUSAL = {"gru_ctc": "embedding", "lstm_ctc": "embedding"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Stacked recurrent layers over shortened time."""

    cell: Literal["rnn", "lstm", "gru"] = "lstm"  # rnn is the plain tanh
    bidirectional: bool = False  # as many units again that read each clip from its end
    units: int = 256  # of every layer, in each direction
    depth: int = 3  # recurrent layers
    dropout: float = 0.2  # fraction, after the convolutions and every layer
    subsampling: int = 4  # how many frames become one step: 1, 2 or 4
    filters: int = 32  # channels of the convolutions that do it
    norm: Literal["none", "batch", "layer"] = "layer"  # of what goes into every recurrent layer and the logits


BILSTM = Config(bidirectional=True, units=192)
GRU = Config(cell="gru")


def describe(config):
    """What a user should know of a configuration before training starts."""
    if config.bidirectional:
        return f"one step for {config.subsampling} frames, each of which depends on the whole clip"
    return f"one step for {config.subsampling} frames, with no look-ahead"


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> {"logits": (batch, steps, num_classes), "steps": int32 (batch,)}.

    `input_shape` is `(frames, mels)`; `frames` may be None; steps are ceil(frames / subsampling). The input is a dict
    with "features" and "frames" (batch,), the true number of frames; what lies past it never changes the logits of a
    clip's own steps. Raises ValueError for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, f"{config.cell}_ctc takes (frames, mels)", input_shape)
    sizes = (config.units, config.depth, config.filters)
    check(min(sizes) > 0, f"{config.cell}_ctc's units, depth and filters must be positive", sizes)
    inputs, x, mask = sequence_inputs(input_shape)
    causal = not config.bidirectional
    x, mask = subsample(x, mask, config.units, config.filters, config.subsampling, causal=causal)
    x = normalized(x, mask, config.norm, "stem_norm")
    x = layers.Dropout(config.dropout, name="stem_dropout")(x)
    x = recurrent(
        x, mask, config.cell, config.units, config.depth, config.dropout, config.bidirectional, norm=config.norm
    )
    x = normalized(x, mask, config.norm, f"{config.cell}{config.depth - 1}_norm")
    _, outputs, _ = ctc_head(x, mask, num_classes, config.dropout)
    return keras.Model(inputs, outputs, name="recurrent_ctc")
