"""Log-mel energies."""

import keras
import numpy as np

from pipelines.layers.spectrum import LogFilters, hz_of_mel, mel_of_hz, triangles


@keras.saving.register_keras_serializable("pipelines")
class LogMel(LogFilters):
    """Natural-log mel energies; a clip's features depend on that clip alone.

    Input: waveform (batch, samples) in [-1, 1] at `sample_rate_hz`; `lengths` (batch,), true samples, None for all.
    Output: (batch, frames, mels), float32; frames = max(1, 1 + (samples - window) // hop). Frames past a clip's own
    count are 0. A clip shorter than one window, even an empty one, is filled up with zeros to one window.
    Periodic Hann window, no centering; `fft_length` None is the next power of two; `high_hz` None is half the rate.
    `mel_scale` is "htk" (Young et al., The HTK Book) or "slaney" (Auditory Toolbox, 1998); `mel_norm` is None (peak 1)
    or "slaney" (area 1). Filters are triangles in hertz, as librosa's. Energies below `floor` count as `floor`.
    Raises ValueError for a window shorter than the hop or longer than the FFT, a band outside 0 to half the rate, an
    unknown scale or norm, and a filter that catches no FFT bin.
    """

    def __init__(
        self,
        sample_rate_hz,
        window_ms=25.0,
        hop_ms=10.0,
        fft_length=None,
        mels=80,
        low_hz=0.0,
        high_hz=None,
        mel_scale="htk",
        mel_norm=None,
        floor=1e-10,
        **kwargs,
    ):
        super().__init__(sample_rate_hz, window_ms, hop_ms, fft_length, low_hz, high_hz, floor, **kwargs)
        if mels < 1:
            raise ValueError(f"mels must be at least 1. Received: {mels}")
        if mel_scale not in ("htk", "slaney"):
            raise ValueError(f'mel_scale must be "htk" or "slaney". Received: {mel_scale!r}')
        if mel_norm not in (None, "slaney"):
            raise ValueError(f'mel_norm must be None or "slaney". Received: {mel_norm!r}')
        self.mels, self.mel_scale, self.mel_norm = mels, mel_scale, mel_norm
        low_mel, high_mel = mel_of_hz([self.low_hz, self.high_hz], mel_scale)
        edges_hz = hz_of_mel(np.linspace(low_mel, high_mel, mels + 2), mel_scale)
        matrix = triangles(edges_hz, self.sample_rate_hz, self.fft_length)
        if mel_norm == "slaney":
            matrix *= 2.0 / (edges_hz[2:] - edges_hz[:-2])
        self._matrix = matrix.astype("float32")

    def get_config(self):
        """The constructor's arguments."""
        own = {"mels": self.mels, "mel_scale": self.mel_scale, "mel_norm": self.mel_norm}
        return {**super().get_config(), **own}
