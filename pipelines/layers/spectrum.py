"""Framing, power spectrum and filter matrices, which the spectral layers share."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from pipelines.layers.base import Float32Layer, Shape, Tensor
from pipelines.layers.sequences import zero_padding


def ms_to_samples(name: str, milliseconds: float, sample_rate_hz: float) -> int:
    """Rounds a duration to a whole number of samples.

    Args:
        name: The duration's name, for the message.
        milliseconds: The duration.
        sample_rate_hz: Samples per second.

    Returns:
        Samples, at least 1.

    Raises:
        ValueError: The duration is shorter than one sample.
    """
    samples = round(milliseconds * sample_rate_hz / 1000)
    if samples < 1:
        raise ValueError(f"{name} must last at least one sample at {sample_rate_hz} Hz. Received: {milliseconds}")
    return samples


def hz_to_mel(hz: float | Sequence[float] | np.ndarray, scale: str) -> np.ndarray:
    """Converts frequencies to mels.

    Args:
        hz: Frequencies in hertz, of any shape.
        scale: "htk" (Young et al., The HTK Book) or "slaney" (Auditory Toolbox 1998: linear up to 1 kHz).

    Returns:
        Mels, float64, in the same shape.
    """
    hz = np.asarray(hz, "float64")
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4))


def mel_to_hz(mel: float | Sequence[float] | np.ndarray, scale: str) -> np.ndarray:
    """Converts mels to frequencies, the inverse of `hz_to_mel`.

    Args:
        mel: Mels, of any shape.
        scale: "htk" or "slaney".

    Returns:
        Frequencies in hertz, float64, in the same shape.
    """
    mel = np.asarray(mel, "float64")
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((np.maximum(mel, 15.0) - 15.0) * np.log(6.4) / 27.0))


def triangular_filters(edges_hz: np.ndarray, sample_rate_hz: float, fft_length: int) -> np.ndarray:
    """Builds triangular filters over FFT bins.

    Filter i rises from edge i to 1 at edge i + 1 and falls to edge i + 2, linearly in hertz.

    Args:
        edges_hz: Ascending edges, `(filters + 2,)`.
        sample_rate_hz: Samples per second.
        fft_length: Samples of the FFT.

    Returns:
        `(fft_length // 2 + 1, filters)`, float64.

    Raises:
        ValueError: A filter covers no bin, so that it would only ever return the floor.
    """
    bins_hz = np.arange(fft_length // 2 + 1)[:, None] * (sample_rate_hz / fft_length)
    low, peak, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    matrix = np.maximum(0.0, np.minimum((bins_hz - low) / (peak - low), (high - bins_hz) / (high - peak)))
    empty = np.flatnonzero(matrix.max(axis=0) == 0)
    if empty.size:
        raise ValueError(
            "Every filter must cover an FFT bin: use fewer filters (frontend.mels) or longer windows"
            " (frontend.window_ms), or as a layer a larger fft_length. "
            f"Received: {len(peak)} filters, {fft_length=} ({sample_rate_hz / fft_length:.4g} Hz per bin), "
            f"empty filters {empty.tolist()}"
        )
    return matrix


class LogFilters(Float32Layer):
    """Log energies of overlapping frames through a matrix of filters; the base class of LogMel and FilterBank.

    A periodic Hann window, frames from sample 0 without centering, power spectrum, filters, `floor`, natural log.
    A subclass sets `_matrix`, float32 `(fft_length // 2 + 1, filters)`, and may override `compress`, which applies the
    floor and the logarithm.

    Args:
        sample_rate_hz: Samples per second of the waveforms.
        window_ms: Length of the window, milliseconds.
        hop_ms: From one window to the next, milliseconds, at most `window_ms`.
        fft_length: Samples of the FFT; None is the next power of two of the window.
        low_hz: Lower edge of the first filter.
        high_hz: Upper edge of the last filter; None is half the sample rate.
        floor: Smallest energy; energies below it count as the floor.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        window (int): Samples of the window.
        hop (int): Samples from one window to the next.
        fourier_by_matrix (bool): Whether `call` computes spectra by two matrix products in place of an FFT, slower, for
            runtimes that have none. False at first; it is no argument, since the features stay the same.

    Raises:
        ValueError: The window is shorter than the hop or longer than the FFT, or the band is outside 0 to half the
            sample rate, or another argument is outside its range.
    """

    _matrix: np.ndarray

    def __init__(
        self,
        sample_rate_hz: float,
        window_ms: float,
        hop_ms: float,
        fft_length: int | None,
        low_hz: float,
        high_hz: float | None,
        floor: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sample_rate_hz <= 0:
            raise ValueError(f"sample_rate_hz must be above 0. Received: {sample_rate_hz}")
        self.window = ms_to_samples("window_ms", window_ms, sample_rate_hz)
        self.hop = ms_to_samples("hop_ms", hop_ms, sample_rate_hz)
        if self.window < self.hop:
            raise ValueError(f"The window must not be shorter than the hop. Received: {window_ms=}, {hop_ms=}")
        if fft_length is None:
            fft_length = 2 ** math.ceil(math.log2(self.window))
        if fft_length < self.window:
            raise ValueError(f"fft_length must hold the window of {self.window} samples. Received: {fft_length}")
        if high_hz is None:
            high_hz = sample_rate_hz / 2
        if not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
            raise ValueError(
                f"Must hold: 0 <= low_hz < high_hz <= {sample_rate_hz / 2:g} (half of sample_rate_hz). "
                f"Received: {low_hz=}, {high_hz=}"
            )
        if floor <= 0:
            raise ValueError(f"floor must be above 0. Received: {floor}")
        self.sample_rate_hz, self.window_ms, self.hop_ms = sample_rate_hz, window_ms, hop_ms
        self.fft_length, self.low_hz, self.high_hz, self.floor = fft_length, low_hz, high_hz, floor
        self.fourier_by_matrix = False
        phase = 2.0 * np.pi * np.arange(self.window) / self.window
        hann = 0.5 - 0.5 * np.cos(phase)
        self._hann = np.pad(hann, (0, fft_length - self.window)).astype("float32")

    @property
    def centers_hz(self) -> np.ndarray:
        """The mean frequency of each filter, `(filters,)`."""
        bins_hz = np.arange(len(self._matrix)) * (self.sample_rate_hz / self.fft_length)
        return bins_hz @ self._matrix / self._matrix.sum(axis=0)

    def num_frames(self, samples: Tensor) -> Tensor:
        """Counts the frames of a clip.

        Args:
            samples: Samples of the clip, an int or an int tensor of any shape.

        Returns:
            max(1, 1 + (samples - window) // hop), an int or a tensor.
        """
        if isinstance(samples, int | np.integer):
            return 1 + max(int(samples) - self.window, 0) // self.hop
        return 1 + ops.maximum(samples - self.window, 0) // self.hop

    def call(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Computes the features of waveforms.

        A clip shorter than one window, even an empty one, is padded with zeros to one window.

        Args:
            waveform: `(batch, samples)` in [-1, 1] at `sample_rate_hz`.
            lengths: Valid samples, `(batch,)`; None is all.

        Returns:
            `(batch, frames, bins)`, float32, with frames as `num_frames`; 0 past a clip's own frames.
        """
        frames, count = self._frames(waveform, lengths)
        real, imaginary = self._fourier(frames * self._hann)
        power = ops.square(real) + ops.square(imaginary)
        # two axes make one large product of it, which is faster on the CPU than one per clip
        energies = ops.matmul(ops.reshape(power, (-1, self.fft_length // 2 + 1)), self._matrix)
        valid = None if lengths is None else self.num_frames(ops.cast(lengths, "int32"))
        return zero_padding(self.compress(ops.reshape(energies, (-1, count, self._matrix.shape[1])), valid), valid)

    def _fourier(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts (batch, frames, bins) of the spectra of windowed frames."""
        if not self.fourier_by_matrix:
            return ops.rfft(frames, fft_length=self.fft_length)
        phases = np.outer(np.arange(self.window), np.arange(self.fft_length // 2 + 1)) % self.fft_length
        angles = 2.0 * np.pi * phases / self.fft_length  # the sign of the imaginary part does not matter here
        frames = frames[:, :, : self.window]
        return ops.matmul(frames, np.cos(angles).astype("float32")), ops.matmul(
            frames, np.sin(angles).astype("float32")
        )

    def compress(self, energies: Tensor, valid_frames: Tensor | None) -> Tensor:
        """Compresses energies to features.

        Args:
            energies: `(batch, frames, filters)`, with arbitrary values in the padding.
            valid_frames: `(batch,)`, or None for all.

        Returns:
            Features in the same shape, with arbitrary values in the padding.
        """
        return ops.log(ops.maximum(energies, self.floor))

    def _frames(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Overlapping frames (batch, frames, fft_length), zeros after the window, and their number.

        Joins shifted slices of the signal cut into hops: several times faster than gathering by index.
        """
        batch, samples = ops.shape(waveform)[:2]
        count = self.num_frames(samples)
        parts = -(-self.window // self.hop)
        blocks = count + parts  # at least one hop more than there are samples
        signal = [waveform]
        if lengths is not None:  # a valid frame ends inside its clip, unless the clip is shorter than one window
            signal = [zero_padding(waveform[:, : self.window], lengths), waveform[:, self.window :]]
        silence = ops.zeros((batch, blocks * self.hop - samples), dtype=waveform.dtype)
        hops = ops.reshape(ops.concatenate([*signal, silence], axis=1), (-1, blocks, self.hop))
        slices = [hops[:, i : i + count] for i in range(parts)]
        slices[-1] = slices[-1][:, :, : self.window - (parts - 1) * self.hop]
        if self.fft_length > self.window:  # joined here at no cost; the FFT would copy everything to do it
            slices.append(ops.zeros((batch, count, self.fft_length - self.window), dtype=waveform.dtype))
        return ops.concatenate(slices, axis=2), count

    def compute_output_shape(self, waveform_shape: Shape) -> Shape:
        """(batch, samples) -> (batch, frames, filters); None stays None."""
        batch, samples = waveform_shape
        return batch, None if samples is None else self.num_frames(samples), self._matrix.shape[1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("sample_rate_hz", "window_ms", "hop_ms", "fft_length", "low_hz", "high_hz", "floor")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
