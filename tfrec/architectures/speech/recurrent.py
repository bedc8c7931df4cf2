"""Recurrent networks over frames: plain, LSTM and GRU, in one or both directions (Graves et al. 2013, arXiv:1303.5778).

The cells are Elman's (1990), Hochreiter & Schmidhuber's (1997) and Cho et al.'s (2014, arXiv:1406.1078), whose reset
gate comes after the product, as in cuDNN. The recurrent weights start orthogonal, which keeps the size of a gradient
from frame to frame (Saxe et al. 2013, arXiv:1312.6120).
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.recurrent import pool_states, recurrent_layers
from tfrec.architectures.types import Shape

INPUT_KINDS = ("sequence",)
CAUSAL = {"gru": "gru1", "lstm": "lstm1", "rnn": "rnn1"}
PARAMETERS = {"sequence": {"bilstm": 548_101, "gru": 157_317, "lstm": 208_517, "rnn": 52_613}}
SEARCH_SPACE = {"units": "*0.5..2:log", "depth": "1..3", "dropout": "0..0.5"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Stacked recurrent layers, whose states are pooled to one vector."""

    cell: Literal["rnn", "lstm", "gru"] = "lstm"  # rnn is the plain tanh
    bidirectional: bool = False  # also read each clip backward, with as many units again
    units: int = 128  # of every layer, in each direction
    depth: int = 2  # layers
    dropout: float = 0.3  # fraction, after every layer
    pool: Literal["last", "mean"] = "last"  # the final state, or the mean over a clip's frames


# A plain RNN forgets within tens of frames: the gradient of the last state hardly reaches a word's beginning, that of
# the mean reaches every frame.
RNN = Config(cell="rnn", pool="mean")
BILSTM = Config(bidirectional=True)
GRU = Config(cell="gru")


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
        ValueError: for another rank and for sizes that are not positive.
    """
    check(len(input_shape) == 2, f"{config.cell} takes (frames, mels)", input_shape)
    check(config.units > 0 and config.depth > 0, f"{config.cell}'s sizes must be positive", config)
    inputs, x, mask = sequence_inputs(input_shape)
    x = recurrent_layers(x, mask, config.cell, config.units, config.depth, config.dropout, config.bidirectional)
    x = pool_states(x, mask, config.pool, config.bidirectional, name="embedding")
    x = layers.Dropout(config.dropout, name=f"dropout{config.depth - 1}")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="recurrent")
