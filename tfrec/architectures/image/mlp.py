"""Multi-layer perceptron with dropout (Rumelhart et al. 1986; Srivastava et al. 2014)."""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import ModelConfig, check

TAKES = ("image",)


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Dense layers of one width."""

    width: int = 256  # units of every hidden layer
    depth: int = 2  # hidden layers
    dropout: float = 0.2  # fraction, after every hidden layer


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    `input_shape` is `(height, width, channels)`, all known. Raises ValueError for another shape.
    """
    check(len(input_shape) == 3 and None not in input_shape, "mlp takes (height, width, channels)", input_shape)
    check(config.width > 0 and config.depth > 0, "mlp's sizes must be positive", config)
    features = keras.Input(input_shape, name="features")
    x = layers.Flatten(name="flatten")(features)
    for i in range(config.depth):
        x = layers.Dense(config.width, activation="relu", name=f"hidden{i}")(x)
        x = layers.Dropout(config.dropout, name=f"dropout{i}")(x)
    x = layers.Identity(name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="mlp")
