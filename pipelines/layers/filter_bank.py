"""Log energies of linear filters."""

from typing import Any

import keras
import numpy as np

from pipelines.layers.spectrum import LogFilters, triangular_filters


@keras.saving.register_keras_serializable("pipelines")
class FilterBank(LogFilters):
    """Natural-log energies of triangular filters equally spaced in hertz; a clip's features depend on that clip only.

    Input, output and attributes are those of `LogFilters`; bins are filters.

    Args:
        sample_rate_hz: See `LogFilters`.
        window_ms: See `LogFilters`.
        hop_ms: See `LogFilters`.
        fft_length: See `LogFilters`.
        filters: Number of filters.
        low_hz: See `LogFilters`.
        high_hz: See `LogFilters`.
        floor: See `LogFilters`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: As `LogFilters`, or for a filter that covers no FFT bin.
    """

    def __init__(
        self,
        sample_rate_hz: float,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fft_length: int | None = None,
        filters: int = 40,
        low_hz: float = 0.0,
        high_hz: float | None = None,
        floor: float = 1e-10,
        **kwargs: Any,
    ) -> None:
        super().__init__(sample_rate_hz, window_ms, hop_ms, fft_length, low_hz, high_hz, floor, **kwargs)
        if filters < 1:
            raise ValueError(f"filters must be at least 1. Received: {filters}")
        self.filters = filters
        edges_hz = np.linspace(self.low_hz, self.high_hz, filters + 2)
        self._matrix = triangular_filters(edges_hz, self.sample_rate_hz, self.fft_length).astype("float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters}
