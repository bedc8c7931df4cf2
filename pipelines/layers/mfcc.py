"""Mel-frequency cepstral coefficients."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Shape, Tensor
from pipelines.layers.log_mel import LogMel


@keras.saving.register_keras_serializable("pipelines")
class MFCC(LogMel):
    """Cepstral coefficients: an orthonormal DCT-II of LogMel's natural-log energies, liftered.

    Args:
        sample_rate_hz: See `LogFilters`.
        coefficients: Number of coefficients, at most `mels`; the zeroth comes first.
        lifter: L of the lifter, which multiplies coefficient n = 0, 1, ... by 1 + L / 2 * sin(pi * (n + 1) / L),
            librosa's form; 0 turns it off.
        **kwargs: Arguments of `LogMel`.

    Raises:
        ValueError: As `LogMel`, for more coefficients than mels, or for a negative lifter.
    """

    def __init__(self, sample_rate_hz: float, coefficients: int = 13, lifter: float = 22, **kwargs: Any) -> None:
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

    def call(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Computes the coefficients of waveforms.

        Args:
            waveform: `(batch, samples)` in [-1, 1] at `sample_rate_hz`.
            lengths: Valid samples, `(batch,)`; None is all.

        Returns:
            `(batch, frames, coefficients)`, float32; frames and padding as in `LogFilters`.
        """
        logs = super().call(waveform, lengths)
        flat = ops.matmul(ops.reshape(logs, (-1, self.mels)), self._dct)
        return ops.reshape(flat, (-1, ops.shape(logs)[1], self.coefficients))

    def compute_output_shape(self, waveform_shape: Shape) -> Shape:
        """(batch, samples) -> (batch, frames, coefficients); None stays None."""
        return (*super().compute_output_shape(waveform_shape)[:2], self.coefficients)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "coefficients": self.coefficients, "lifter": self.lifter}
