"""Recurrent networks under CTC: stacked LSTM or GRU layers (Graves et al. 2013, arXiv:1303.5778).

Convolutions before them shorten time, which the paper does not have: a step of 40 ms instead of 10 makes the recurrence
four times shorter and still gives every character its step. In one direction the network is causal, convolutions
included.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.ctc_head import IntermediateCTC, StackConfig, ctc_head
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.normalization import normalize_sequence
from tfrec.architectures.layers.recurrent import recurrent_layers
from tfrec.architectures.layers.subsampling import subsample
from tfrec.architectures.types import Shape

INPUT_KINDS = ("sequence",)
OUTPUT_KIND = "sequence"
CAUSAL = {"gru_ctc": "embedding", "lstm_ctc": "embedding"}
PARAMETERS = {"sequence": {"bilstm_ctc": 2_510_397, "gru_ctc": 1_367_421, "lstm_ctc": 1_759_101}}
SEARCH_SPACE = {"units": "*0.5..2:log", "depth": "2..4", "dropout": "0..0.5"}


@dataclasses.dataclass(frozen=True)
class Config(StackConfig):
    """Stacked recurrent layers over subsampled frames."""

    cell: Literal["rnn", "lstm", "gru"] = "lstm"  # rnn is the plain tanh
    bidirectional: bool = False  # also read each clip backward, with as many units again
    units: int = 256  # of every layer, in each direction
    depth: int = 3  # recurrent layers
    dropout: float = 0.2  # fraction, after the convolutions and every layer
    subsampling: int = 4  # frames per step: 1, 2 or 4
    filters: int = 32  # channels of the subsampling convolutions
    norm: Literal["none", "batch", "layer"] = "layer"  # normalization before every recurrent layer and the logits


BILSTM = Config(bidirectional=True, units=192)
GRU = Config(cell="gru")


def describe(config: Config) -> str:
    """How far ahead a step sees."""
    if config.bidirectional:
        return f"one step for {config.subsampling} frames, each of which depends on the whole clip"
    return f"one step for {config.subsampling} frames, with no look-ahead"


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, mels) -> {"logits": (batch, steps, outputs), "steps": int32 (batch,)}.

    Steps are ceil(frames / subsampling). With `intermediate` further outputs "intermediateN" hold the logits after
    layer N.

    Args:
        input_shape: `(frames, mels)`; `frames` may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of frames. Frames
        past it never change the logits of a clip's own steps.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, f"{config.cell}_ctc takes (frames, mels)", input_shape)
    sizes = (config.units, config.depth, config.filters)
    check(min(sizes) > 0, f"{config.cell}_ctc's units, depth and filters must be positive", sizes)
    inputs, x, mask = sequence_inputs(input_shape)
    causal = not config.bidirectional
    x, mask = subsample(x, mask, config.units, config.filters, config.subsampling, causal=causal)
    x = normalize_sequence(x, mask, config.norm, "stem_norm")
    x = layers.Dropout(config.dropout, name="stem_dropout")(x)
    ctc = IntermediateCTC(config, config.depth, outputs)
    x = recurrent_layers(
        x,
        mask,
        config.cell,
        config.units,
        config.depth,
        config.dropout,
        config.bidirectional,
        config.norm,
        ctc.between,
    )
    x = normalize_sequence(x, mask, config.norm, f"{config.cell}{config.depth - 1}_norm")
    _, result = ctc_head(x, mask, outputs, config.dropout, ctc)
    return keras.Model(inputs, result, name="recurrent_ctc")
