"""Multi-layer perceptron with dropout (Rumelhart et al. 1986; Srivastava et al. 2014).

Features over time are first interpolated to a fixed number of frames.
"""

import dataclasses

import keras
from keras import layers

from pipelines.layers.fixed_frames import FixedFrames
from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image", "sequence")
PARAMETERS = {"image": {"mlp": 38_858_216}, "sequence": {"mlp": 231_173}}
SEARCH_SPACE = {"width": "*0.5..2:log", "depth": "1..4", "dropout": "0..0.5"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Dense layers of one width."""

    width: int = 256  # units of every hidden layer
    depth: int = 2  # hidden layers
    dropout: float = 0.2  # fraction, after every hidden layer
    frames: int = 32  # number of frames to which clips are interpolated; unused for images


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) or log-mel (batch, frames, mels) -> logits (batch, outputs).

    Args:
        input_shape: `(height, width, channels)` or `(frames, mels)`; only `frames` may be None.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model. For clips its input is a dict with "features" and "frames" (batch,), the true number of
        frames; frames past it never change the logits.

    Raises:
        ValueError: for another shape and for sizes that make no network.
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
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="mlp")
