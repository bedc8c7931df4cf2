"""Mel-frequency cepstral coefficients."""

import keras
import numpy as np
from keras import ops

from pipelines.layers.log_mel import LogMel


@keras.saving.register_keras_serializable("pipelines")
class MFCC(LogMel):
    """Cepstral coefficients: an orthonormal DCT-II of LogMel's natural-log energies, liftered.

    Input: waveform (batch, samples) in [-1, 1] at `sample_rate_hz`; `lengths` (batch,), true samples, None for all.
    Output: (batch, frames, coefficients), float32; the zeroth coefficient comes first; frames and padding as in LogMel.
    `lifter` L weighs coefficient n = 0, 1, ... by 1 + L / 2 * sin(pi * (n + 1) / L), librosa's form; 0 leaves it out.
    Every other argument is LogMel's.
    Raises ValueError for more coefficients than mels, a negative lifter, and as LogMel does.
    """

    def __init__(self, sample_rate_hz, coefficients=13, lifter=22, **kwargs):
        super().__init__(sample_rate_hz, **kwargs)
        if not 1 <= coefficients <= self.mels:
            raise ValueError(f"coefficients must be from 1 to mels={self.mels}. Received: {coefficients}")
        if lifter < 0:
            raise ValueError(f"lifter must be 0 (off) or above. Received: {lifter}")
        self.coefficients, self.lifter = coefficients, lifter
        order = np.arange(coefficients)
        dct = np.cos(np.pi / self.mels * (np.arange(self.mels)[:, None] + 0.5) * order) * np.sqrt(2.0 / self.mels)
        dct[:, 0] /= np.sqrt(2.0)
        if lifter:
            dct *= 1.0 + lifter / 2.0 * np.sin(np.pi * (order + 1) / lifter)
        self._dct = dct.astype("float32")

    def call(self, waveform, lengths=None):
        """(batch, samples) and true samples (batch,) -> (batch, frames, coefficients), 0 past a clip's own frames."""
        logs = super().call(waveform, lengths)
        flat = ops.matmul(ops.reshape(logs, (-1, self.mels)), self._dct)
        return ops.reshape(flat, (-1, ops.shape(logs)[1], self.coefficients))

    def compute_output_shape(self, waveform_shape):
        """(batch, samples) -> (batch, frames, coefficients); None stays None."""
        return (*super().compute_output_shape(waveform_shape)[:2], self.coefficients)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "coefficients": self.coefficients, "lifter": self.lifter}
