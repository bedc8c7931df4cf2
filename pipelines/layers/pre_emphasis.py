"""Pre-emphasis."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import true_only


@keras.saving.register_keras_serializable("pipelines")
class PreEmphasis(Float32Layer):
    """Lifts high frequencies: y[t] = x[t] - `coefficient` x[t - 1], with x[-1] = 0.

    Input: waveform (batch, samples); `lengths` (batch,), true samples, None for all.
    Output: the same shape, float32; 0 past a clip's samples.
    Raises ValueError for a coefficient outside 0 to 1.
    """

    def __init__(self, coefficient=0.97, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= coefficient <= 1:
            raise ValueError(f"coefficient must be from 0 to 1. Received: {coefficient}")
        self.coefficient = coefficient

    def call(self, waveform, lengths=None):
        """(batch, samples) and true samples (batch,) -> (batch, samples)."""
        before = ops.pad(waveform, [[0, 0], [1, 0]])[:, :-1]
        return true_only(waveform - self.coefficient * before, lengths)

    def compute_output_shape(self, waveform_shape):
        """The input's shape."""
        return tuple(waveform_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "coefficient": self.coefficient}
