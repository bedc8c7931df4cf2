"""Recurrent networks over frames: plain, LSTM and GRU, in one or both directions (Graves et al. 2013, arXiv:1303.5778).

The cells are Elman's (1990), Hochreiter & Schmidhuber's (1997) and Cho et al.'s (2014, arXiv:1406.1078), whose reset
gate comes after the product, as CuDNN has it. The recurrent weights start orthogonal, which keeps the size of a
gradient from frame to frame (Saxe et al. 2013, arXiv:1312.6120).
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.base import FinalState, MaskedMean, ModelConfig, batch_norm, check, sequence_inputs

TAKES = ("sequence",)
CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
# The last layer whose state at a frame knows that frame and those before it, by the name in the registry.
CAUSAL = {"gru": "gru1", "lstm": "lstm1", "rnn": "rnn1"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Stacked recurrent layers, whose states are brought to one answer."""

    cell: Literal["rnn", "lstm", "gru"] = "lstm"  # rnn is the plain tanh
    bidirectional: bool = False  # as many units again that read each clip from its end
    units: int = 128  # of every layer, in each direction
    depth: int = 2  # layers
    dropout: float = 0.3  # fraction, after every layer
    pool: Literal["last", "mean"] = "last"  # the state at the end of the reading, or the mean over a clip's frames


# A plain RNN forgets within tens of frames: the gradient of the last state hardly reaches a word's beginning, that of
# the mean reaches every frame.
RNN = Config(cell="rnn", pool="mean")
BILSTM = Config(bidirectional=True)
GRU = Config(cell="gru")


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` is `(frames, mels)`; `frames` may be None. The input is a dict with "features" and "frames"
    (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for another rank.
    """
    check(len(input_shape) == 2, f"{config.cell} takes (frames, mels)", input_shape)
    check(config.units > 0 and config.depth > 0, f"{config.cell}'s sizes must be positive", config)
    inputs, x, mask = sequence_inputs(input_shape)
    x = recurrent(x, mask, config.cell, config.units, config.depth, config.dropout, config.bidirectional)
    x = pooled(x, mask, config.pool, config.bidirectional, name="embedding")
    x = layers.Dropout(config.dropout, name=f"dropout{config.depth - 1}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="recurrent")


def recurrent(x, mask, cell, units, depth, dropout=0.0, bidirectional=False, norm="none"):
    """Layers of a cell of CELLS: (batch, frames, bins) and mask (batch, frames) -> states (batch, frames, units).

    Twice the units if `bidirectional`, the second half from the end on. `norm` (of `normalized`) and `dropout` act
    between the layers. What the states are past a clip's end depends on the device.
    """
    for i in range(depth):
        name = f"{cell}{i}"
        layer = CELLS[cell](units, return_sequences=True, name=name)
        layer = layers.Bidirectional(layer, name=name) if bidirectional else layer
        x = layer(x, mask=mask)
        if i < depth - 1:
            x = normalized(x, mask, norm, f"{name}_norm")
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    return x


def normalized(x, mask, norm, name):
    """(batch, frames, units), each frame normalized ("layer"), each unit over all true frames ("batch"), or neither.

    Raises ValueError for another `norm` than these and "none".
    """
    check(norm in ("none", "batch", "layer"), "model.norm must be none, batch or layer", norm)
    if norm == "batch":
        return batch_norm(name)(x, mask=mask)
    return x if norm == "none" else layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def pooled(states, mask, pool, bidirectional, name):
    """States (batch, frames, units) and mask (batch, frames) -> (batch, units), as Config's `pool` says."""
    layer = MaskedMean(name=name) if pool == "mean" else FinalState(bidirectional, name=name)
    return layer(states, mask)
