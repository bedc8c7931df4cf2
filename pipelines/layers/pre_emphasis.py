"""Pre-emphasis."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Tensor
from pipelines.layers.sequences import zero_padding


@keras.saving.register_keras_serializable("pipelines")
class PreEmphasis(Float32Layer):
    """Amplifies high frequencies: y[t] = x[t] - `coefficient` x[t - 1], with x[-1] = 0.

    Args:
        coefficient: From 0 to 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: The coefficient is outside 0 to 1.
    """

    def __init__(self, coefficient: float = 0.97, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= coefficient <= 1:
            raise ValueError(f"coefficient must be from 0 to 1. Received: {coefficient}")
        self.coefficient = coefficient

    def call(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Filters waveforms.

        Args:
            waveform: `(batch, samples)`.
            lengths: Valid samples, `(batch,)`; None is all.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        before = ops.pad(waveform, [[0, 0], [1, 0]])[:, :-1]
        return zero_padding(waveform - self.coefficient * before, lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "coefficient": self.coefficient}
