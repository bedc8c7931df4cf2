"""Log-mel energies."""

from typing import Any

import keras
import numpy as np

from pipelines.layers.spectrum import LogFilters, hz_to_mel, mel_to_hz, triangular_filters


@keras.saving.register_keras_serializable("pipelines")
class LogMel(LogFilters):
    """Natural-log mel energies; a clip's features depend on that clip only.

    Periodic Hann window, no centering. Filters are triangles in hertz, as librosa's. Input, output and attributes are
    those of `LogFilters`; bins are mels.

    Args:
        sample_rate_hz: See `LogFilters`.
        window_ms: See `LogFilters`.
        hop_ms: See `LogFilters`.
        fft_length: See `LogFilters`.
        mels: Number of filters.
        low_hz: See `LogFilters`.
        high_hz: See `LogFilters`.
        mel_scale: "htk" (Young et al., The HTK Book) or "slaney" (Auditory Toolbox, 1998).
        mel_norm: None (filters of peak 1) or "slaney" (filters of area 1).
        floor: See `LogFilters`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: As `LogFilters`, for an unknown scale or norm, or for a filter that covers no FFT bin.
    """

    def __init__(
        self,
        sample_rate_hz: float,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fft_length: int | None = None,
        mels: int = 80,
        low_hz: float = 0.0,
        high_hz: float | None = None,
        mel_scale: str = "htk",
        mel_norm: str | None = None,
        floor: float = 1e-10,
        **kwargs: Any,
    ) -> None:
        super().__init__(sample_rate_hz, window_ms, hop_ms, fft_length, low_hz, high_hz, floor, **kwargs)
        if mels < 1:
            raise ValueError(f"mels must be at least 1. Received: {mels}")
        if mel_scale not in ("htk", "slaney"):
            raise ValueError(f'mel_scale must be "htk" or "slaney". Received: {mel_scale!r}')
        if mel_norm not in (None, "slaney"):
            raise ValueError(f'mel_norm must be None or "slaney". Received: {mel_norm!r}')
        self.mels, self.mel_scale, self.mel_norm = mels, mel_scale, mel_norm
        low_mel, high_mel = hz_to_mel([self.low_hz, self.high_hz], mel_scale)
        edges_hz = mel_to_hz(np.linspace(low_mel, high_mel, mels + 2), mel_scale)
        matrix = triangular_filters(edges_hz, self.sample_rate_hz, self.fft_length)
        if mel_norm == "slaney":
            matrix *= 2.0 / (edges_hz[2:] - edges_hz[:-2])
        self._matrix = matrix.astype("float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"mels": self.mels, "mel_scale": self.mel_scale, "mel_norm": self.mel_norm}
        return {**super().get_config(), **own}
