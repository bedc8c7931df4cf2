"""The hidden dense layers and the pooling that AlexNet and VGG share."""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check
from tfrec.architectures.types import Tensor


@dataclasses.dataclass(frozen=True)
class DenseHeadConfig(ImageModelConfig):
    """The fields of networks with hidden dense layers."""

    dropout: float = 0.5  # fraction, after each hidden dense layer and before the logits
    # Units of the two dense layers after flattening; 0 pools the map to its mean instead; None is 4096, or 0 with the
    # small stem.
    fc_units: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.fc_units is None or self.fc_units >= 0, "model.fc_units must be 0 or more", self.fc_units)


def max_pool(x: Tensor, size: int, name: str) -> Tensor:
    """Max pooling with a stride of 2; a map smaller than the window keeps at least one pixel.

    Args:
        x: (batch, height, width, channels).
        size: of the window's sides.
        name: of the layer.

    Returns:
        (batch, height', width', channels).
    """
    padding = "valid" if min(x.shape[1:3]) >= size else "same"
    return layers.MaxPooling2D(size, strides=2, padding=padding, name=name)(x)


def dense_head(x: Tensor, outputs: int, config: DenseHeadConfig, small: bool) -> Tensor:
    """Hidden dense layers and logits.

    Args:
        x: (batch, height, width, channels).
        outputs: number of logits.
        config: units and dropout.
        small: whether the network has the small stem.

    Returns:
        float32 (batch, outputs).
    """
    units = config.fc_units
    if units is None:
        units = 0 if small else 4096
    if units:
        x = layers.Identity(name="embedding")(x)
        x = layers.Flatten(name="flatten")(x)
        for i in (1, 2):
            dense = layers.Dense(
                config.channels(units), activation="relu", kernel_initializer="he_normal", name=f"fc{i}"
            )
            x = layers.Dropout(config.dropout, name=f"dropout{i}")(dense(x))
    else:
        x = layers.GlobalAveragePooling2D(name="embedding")(x)
        x = layers.Dropout(config.dropout, name="dropout")(x)
    start = keras.initializers.RandomNormal(stddev=0.01)  # as in the papers; poolings make the map large
    return layers.Dense(outputs, kernel_initializer=start, dtype="float32", name="logits")(x)
