"""Long short-term memory over frames (Hochreiter & Schmidhuber 1997; Graves et al. 2013, arXiv:1303.5778)."""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import FrameMask, ModelConfig, check

TAKES = ("sequence",)


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Stacked LSTM layers; the last state goes to the logits."""

    units: int = 128  # of every layer
    depth: int = 2  # layers
    dropout: float = 0.3  # fraction, after every layer


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` is `(frames, mels)`; `frames` may be None. The input is a dict with "features" and "frames"
    (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for another rank.
    """
    check(len(input_shape) == 2, "lstm takes (frames, mels)", input_shape)
    check(config.units > 0 and config.depth > 0, "lstm's sizes must be positive", config)
    features = keras.Input(input_shape, name="features")
    frames = keras.Input((), dtype="int32", name="frames")
    mask = FrameMask(name="mask")(features, frames)
    x = features
    for i in range(config.depth):
        last = i == config.depth - 1
        x = layers.LSTM(config.units, return_sequences=not last, name=f"lstm{i}")(x, mask=mask)
        x = layers.Dropout(config.dropout, name=f"dropout{i}")(x)
    x = layers.Identity(name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model({"features": features, "frames": frames}, logits, name="lstm")
