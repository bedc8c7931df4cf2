"""Multi-layer perceptron with dropout (Rumelhart et al. 1986; Srivastava et al. 2014).

Features over time are brought to one number of frames first: each clip is stretched or shrunk to it.
"""

import dataclasses

import keras
from keras import layers

from pipelines.layers.fixed_frames import FixedFrames
from tfrec.architectures.base import ModelConfig, check

TAKES = ("image", "sequence")


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Dense layers of one width."""

    width: int = 256  # units of every hidden layer
    depth: int = 2  # hidden layers
    dropout: float = 0.2  # fraction, after every hidden layer
    frames: int = 32  # to which clips are stretched or shrunk; images have none


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) or log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` leaves out the batch; only `frames` may be None. Features over time come as a dict with "features" and
    "frames" (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for
    another shape.
    """
    clips = len(input_shape) == 2
    known = None not in (input_shape[1:] if clips else input_shape)
    check(known and len(input_shape) in (2, 3), "mlp takes (height, width, channels) or (frames, mels)", input_shape)
    check(config.width > 0 and config.depth > 0, "mlp's sizes must be positive", config)
    inputs = x = keras.Input(input_shape, name="features")
    if clips:
        inputs = {"features": x, "frames": keras.Input((), dtype="int32", name="frames")}
        x = FixedFrames(config.frames, name="fixed")(x, inputs["frames"])
    x = layers.Flatten(name="flatten")(x)
    for i in range(config.depth):
        x = layers.Dense(config.width, activation="relu", name=f"hidden{i}")(x)
        x = layers.Dropout(config.dropout, name=f"dropout{i}")(x)
    x = layers.Identity(name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="mlp")
