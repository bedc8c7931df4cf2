"""A learned temperature of similarities."""

import math
from typing import Any

import keras
from keras import ops

from tfrec.architectures.types import Shape, Tensor

MAX_SCALE = 100.0  # of similarities, as in CLIP, which keeps training stable


@keras.saving.register_keras_serializable("tfrec")
class LogScale(keras.layers.Layer):
    """The logarithm of the factor of similarities, 1 / temperature (Radford et al. 2021, arXiv:2103.00020).

    The same learned number for each example: (batch, units) -> float32 (batch,). The factor is at most `MAX_SCALE`.

    Args:
        temperature: at the start of training.
        **kwargs: those of `keras.layers.Layer`; it computes in float32 under every dtype policy.
    """

    def __init__(self, temperature: float = 0.07, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.temperature = temperature

    def build(self, x_shape: Shape) -> None:
        """Creates the weight."""
        start = keras.initializers.Constant(-math.log(self.temperature))
        self.log_scale = self.add_weight(shape=(), initializer=start, name="log_scale")

    def call(self, x: Tensor) -> Tensor:
        """Repeats the number for each example."""
        return ops.broadcast_to(ops.minimum(self.log_scale, math.log(MAX_SCALE)), ops.shape(x)[:1])

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """(batch,)."""
        return tuple(x_shape[:1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**config, "temperature": self.temperature}
