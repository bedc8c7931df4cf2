"""Log energies of linear filters."""

import keras
import numpy as np

from pipelines.layers.spectrum import LogFilters, triangles


@keras.saving.register_keras_serializable("pipelines")
class FilterBank(LogFilters):
    """Natural-log energies of triangular filters equally spaced in hertz; a clip's features depend on that clip alone.

    Input: waveform (batch, samples) in [-1, 1] at `sample_rate_hz`; `lengths` (batch,), true samples, None for all.
    Output: (batch, frames, filters), float32; frames, window, padding, `floor` and defaults as in LogMel.
    Raises ValueError for a window shorter than the hop or longer than the FFT, a band outside 0 to half the rate, and a
    filter that catches no FFT bin.
    """

    def __init__(
        self,
        sample_rate_hz,
        window_ms=25.0,
        hop_ms=10.0,
        fft_length=None,
        filters=40,
        low_hz=0.0,
        high_hz=None,
        floor=1e-10,
        **kwargs,
    ):
        super().__init__(sample_rate_hz, window_ms, hop_ms, fft_length, low_hz, high_hz, floor, **kwargs)
        if filters < 1:
            raise ValueError(f"filters must be at least 1. Received: {filters}")
        self.filters = filters
        edges_hz = np.linspace(self.low_hz, self.high_hz, filters + 2)
        self._matrix = triangles(edges_hz, self.sample_rate_hz, self.fft_length).astype("float32")

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters}
