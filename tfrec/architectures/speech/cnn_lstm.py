"""Convolutions and an LSTM over one spectrogram: one after the other (arXiv:1609.04243) or side by side.

Stacked, the LSTM reads what the convolutions found in each frame (Choi et al. 2016, with LSTM for GRU). Concatenated,
both read the features, and what each makes of a clip is joined for dense layers, as in the study arXiv:2505.01632.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.base import MaskedMean, check, sequence_inputs
from tfrec.architectures.image import cnn
from tfrec.architectures.speech.recurrent import pooled, recurrent

TAKES = ("sequence",)


@dataclasses.dataclass(frozen=True)
class Config(cnn.Config):
    """The convolutions of `cnn`, and LSTM layers."""

    join: Literal["stack", "concat"] = "stack"  # how the two meet
    time_pools: int | None = 2  # of the poolings, so many halve the time; None is all
    units: int = 128  # of every LSTM layer, in each direction
    lstm_depth: int = 1  # LSTM layers
    bidirectional: bool = False  # as many units again that read each clip from its end
    pool: Literal["last", "mean"] = "last"  # the LSTM's state at the end, or the mean over a clip's frames
    fc_units: int = 0  # of a dense layer before the logits; 0 is none


CONCAT = Config(join="concat", fc_units=128)


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` is `(frames, mels)`; `frames` may be None. The input is a dict with "features" and "frames"
    (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for another rank
    and for sizes that make no network.
    """
    check(len(input_shape) == 2, "cnn_lstm takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.convolutions, config.units, config.lstm_depth)
    check(min(sizes) > 0 and config.fc_units >= 0, "cnn_lstm's sizes must be positive", config)
    inputs, features, mask = sequence_inputs(input_shape)
    maps, short_mask = cnn.blocks(cnn.as_picture(features), mask, config)
    bands = cnn.frames(maps, short_mask, config.frame_units)
    if config.join == "stack":
        x = _lstm(bands, short_mask, config, name="embedding")
    else:
        found = MaskedMean(name="bands_mean")(bands, short_mask)
        x = layers.Concatenate(name="embedding")([found, _lstm(features, mask, config, name="state")])
    logits = cnn.head(x, num_classes, config.dropout, config.fc_units)
    return keras.Model(inputs, logits, name="cnn_lstm")


def _lstm(x, mask, config, name):
    x = recurrent(x, mask, "lstm", config.units, config.lstm_depth, config.dropout, config.bidirectional)
    return pooled(x, mask, config.pool, config.bidirectional, name)
