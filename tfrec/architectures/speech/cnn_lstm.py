"""Convolutions and an LSTM over one spectrogram: one after the other (arXiv:1609.04243) or in parallel.

Stacked, the LSTM reads the convolutions' output for each frame (Choi et al. 2016, with an LSTM in place of the GRU).
Concatenated, both read the features, and their vectors for the clip are joined for dense layers, as in the study
arXiv:2505.01632.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.image import cnn
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.layers.recurrent import pool_states, recurrent_layers
from tfrec.architectures.layers.spectrogram_convolution import frame_vectors, logits_head, to_image
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("sequence",)
PARAMETERS = {"sequence": {"cnn_lstm": 550_181, "cnn_lstm_concat": 429_477}}
SEARCH_SPACE = {"width": "*0.5..2:log", "units": "*0.5..2:log", "dropout": "0..0.5"}


@dataclasses.dataclass(frozen=True)
class Config(cnn.Config):
    """The convolutions of `cnn`, and LSTM layers."""

    join: Literal["stack", "concat"] = "stack"  # the LSTM reads the convolutions' output, or both read the features
    time_pools: int | None = 2  # number of poolings that halve time, the first ones; None is all
    units: int = 128  # of every LSTM layer, in each direction
    lstm_depth: int = 1  # LSTM layers
    bidirectional: bool = False  # also read each clip backward, with as many units again
    pool: Literal["last", "mean"] = "last"  # the LSTM's final state, or the mean over a clip's frames
    fc_units: int = 0  # of a dense layer before the logits; 0 for no such layer


CONCAT = Config(join="concat", fc_units=128)


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
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "cnn_lstm takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.convolutions, config.units, config.lstm_depth)
    check(min(sizes) > 0 and config.fc_units >= 0, "cnn_lstm's sizes must be positive", config)
    inputs, features, mask = sequence_inputs(input_shape)
    maps, short_mask = cnn.convolution_blocks(to_image(features), mask, config)
    vectors = frame_vectors(maps, short_mask, config.frame_units)
    if config.join == "stack":
        x = _lstm(vectors, short_mask, config, name="embedding")
    else:
        mean = MaskedMean(name="bands_mean")(vectors, short_mask)
        x = layers.Concatenate(name="embedding")([mean, _lstm(features, mask, config, name="state")])
    logits = logits_head(x, outputs, config.dropout, config.fc_units)
    return keras.Model(inputs, logits, name="cnn_lstm")


def _lstm(x: Tensor, mask: Tensor, config: Config, name: str) -> Tensor:
    """The LSTM layers and their pooling: (batch, frames, n) -> (batch, units)."""
    x = recurrent_layers(x, mask, "lstm", config.units, config.lstm_depth, config.dropout, config.bidirectional)
    return pool_states(x, mask, config.pool, config.bidirectional, name)
