"""What the spectral layers share: framing, power spectrum, filter matrices."""

import math

import numpy as np
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import true_only


def to_samples(name, milliseconds, sample_rate_hz):
    """A duration as a whole number of samples; raises ValueError for less than one."""
    samples = round(milliseconds * sample_rate_hz / 1000)
    if samples < 1:
        raise ValueError(f"{name} must last at least one sample at {sample_rate_hz} Hz. Received: {milliseconds}")
    return samples


def mel_of_hz(hz, scale):
    """Hertz to mels: "htk" (Young et al., The HTK Book) or "slaney" (Auditory Toolbox 1998: linear up to 1 kHz)."""
    hz = np.asarray(hz, "float64")
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4))


def hz_of_mel(mel, scale):
    """The inverse of `mel_of_hz`."""
    mel = np.asarray(mel, "float64")
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((np.maximum(mel, 15.0) - 15.0) * np.log(6.4) / 27.0))


def triangles(edges_hz, sample_rate_hz, fft_length):
    """Triangular filters over FFT bins, (fft_length // 2 + 1, len(edges_hz) - 2), float64.

    Filter i rises from edge i to 1 at edge i + 1 and falls to edge i + 2, linearly in hertz.
    Raises ValueError when a filter catches no bin: it would only ever return the floor.
    """
    bins_hz = np.arange(fft_length // 2 + 1)[:, None] * (sample_rate_hz / fft_length)
    low, peak, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    matrix = np.maximum(0.0, np.minimum((bins_hz - low) / (peak - low), (high - bins_hz) / (high - peak)))
    empty = np.flatnonzero(matrix.max(axis=0) == 0)
    if empty.size:
        raise ValueError(
            "Every filter must catch an FFT bin: use fewer filters or a longer fft_length. "
            f"Received: {len(peak)} filters, {fft_length=} ({sample_rate_hz / fft_length:.4g} Hz per bin), "
            f"empty filters {empty.tolist()}"
        )
    return matrix


class LogFilters(Float32Layer):
    """Log energies of overlapping frames through a matrix of filters, the part that LogMel and FilterBank share.

    A periodic Hann window, frames from sample 0 without centering, power spectrum, filters, `floor`, natural log.
    A subclass sets `_matrix`, float32 (fft_length // 2 + 1, filters), and may put another `compress` in the place of
    the floor and the logarithm.
    """

    def __init__(self, sample_rate_hz, window_ms, hop_ms, fft_length, low_hz, high_hz, floor, **kwargs):
        super().__init__(**kwargs)
        if sample_rate_hz <= 0:
            raise ValueError(f"sample_rate_hz must be above 0. Received: {sample_rate_hz}")
        self.window = to_samples("window_ms", window_ms, sample_rate_hz)
        self.hop = to_samples("hop_ms", hop_ms, sample_rate_hz)
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
        phase = 2.0 * np.pi * np.arange(self.window) / self.window
        hann = 0.5 - 0.5 * np.cos(phase)
        self._hann = np.pad(hann, (0, fft_length - self.window)).astype("float32")

    def num_frames(self, samples):
        """Frames of a clip of `samples` samples: max(1, 1 + (samples - window) // hop); an int or an int tensor."""
        if isinstance(samples, int | np.integer):
            return 1 + max(int(samples) - self.window, 0) // self.hop
        return 1 + ops.maximum(samples - self.window, 0) // self.hop

    def call(self, waveform, lengths=None):
        """(batch, samples) and true samples (batch,) -> (batch, frames, filters), 0 past a clip's own frames."""
        frames, count = self._frames(waveform, lengths)
        real, imaginary = ops.rfft(frames * self._hann, fft_length=self.fft_length)
        power = ops.square(real) + ops.square(imaginary)
        # two axes make one large product of it, which is faster on the CPU than one per clip
        energies = ops.matmul(ops.reshape(power, (-1, self.fft_length // 2 + 1)), self._matrix)
        frames = None if lengths is None else self.num_frames(ops.cast(lengths, "int32"))
        return true_only(self.compress(ops.reshape(energies, (-1, count, self._matrix.shape[1])), frames), frames)

    def compress(self, energies, true_frames):
        """Energies (batch, frames, filters), anything past `true_frames` (batch,) or None -> features, likewise."""
        return ops.log(ops.maximum(energies, self.floor))

    def _frames(self, waveform, lengths):
        """Overlapping frames (batch, frames, fft_length), zeros after the window, and their number.

        Joins shifted slices of the signal cut into hops: several times faster than gathering by index.
        """
        batch, samples = ops.shape(waveform)[:2]
        count = self.num_frames(samples)
        parts = -(-self.window // self.hop)
        blocks = count + parts  # at least one hop more than there are samples
        signal = [waveform]
        if lengths is not None:  # a true frame ends inside its clip, unless the clip is shorter than one window
            signal = [true_only(waveform[:, : self.window], lengths), waveform[:, self.window :]]
        silence = ops.zeros((batch, blocks * self.hop - samples), dtype=waveform.dtype)
        hops = ops.reshape(ops.concatenate([*signal, silence], axis=1), (-1, blocks, self.hop))
        slices = [hops[:, i : i + count] for i in range(parts)]
        slices[-1] = slices[-1][:, :, : self.window - (parts - 1) * self.hop]
        if self.fft_length > self.window:  # joined here at no cost; the FFT would copy everything to do it
            slices.append(ops.zeros((batch, count, self.fft_length - self.window), dtype=waveform.dtype))
        return ops.concatenate(slices, axis=2), count

    def compute_output_shape(self, waveform_shape):
        """(batch, samples) -> (batch, frames, filters); None stays None."""
        batch, samples = waveform_shape
        return batch, None if samples is None else self.num_frames(samples), self._matrix.shape[1]

    def get_config(self):
        """The constructor's arguments."""
        own = ("sample_rate_hz", "window_ms", "hop_ms", "fft_length", "low_hz", "high_hz", "floor")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
