"""Explanations to listen to: a clip of which only the relevant parts of the spectrum are left, and one without them."""

from typing import Any, NamedTuple

import numpy as np
from scipy import interpolate, ndimage, signal

from pipelines.errors import UserError

WINDOW_MS = 32.0  # of the short-time Fourier transform that is masked
OVERLAP = 0.75
SMOOTH_CELLS = 1.5  # standard deviation of the kernel over the energies that relevance is weighed against


class Parts(NamedTuple):
    """A clip in two, whose sum it is: waveforms (samples,), and the share of the energy that is kept."""

    kept: np.ndarray
    removed: np.ndarray
    share: float


class Axes(NamedTuple):
    """Where the cells of a map of frames are: seconds of each frame, and hertz of each bin or None."""

    seconds: np.ndarray
    hertz: np.ndarray | None


def axes(frontend: Any, samples: int, cells: tuple[int, ...]) -> Axes:
    """Places the cells of a map of speech features in a clip.

    Args:
        frontend: The Speech frontend.
        samples: Of the clip.
        cells: (frames, bins) of the map, or (samples, 1).

    Returns:
        The Axes. Coefficients of a cepstrum have no frequency, nor have waveforms.

    Raises:
        UserError: The frontend cuts clips, so that a frame has no known place.
    """
    config = frontend.config
    if frontend.trim is not None:
        raise UserError(
            "frontend.trim cuts the clip before its features: the parts of a map have no known place in it."
        )
    rate = config.sample_rate_hz
    if frontend.features is None:
        return Axes((np.arange(cells[0]) - frontend.margin) / rate, None)
    layer = frontend.features
    frames = int(layer.num_frames(samples + 2 * frontend.margin))
    places = np.linspace(0, frames - 1, cells[0])  # of fixed_frames, otherwise every one
    seconds = (places * layer.hop + layer.window / 2 - frontend.margin) / rate
    return Axes(seconds, None if config.features == "mfcc" else np.asarray(layer.centers_hz))


def per_bin(relevance: np.ndarray, bins: int | None) -> np.ndarray:
    """Sums a map over what has no frequency: derivatives of a bin, or coefficients where `bins` is None."""
    if bins is None:
        return relevance.sum(axis=1, keepdims=True)
    return relevance.reshape(len(relevance), -1, bins).sum(axis=1)


def shown(features: np.ndarray, relevance: np.ndarray, where: Axes) -> tuple[Any, Any, Any, Any]:
    """What a drawing takes: features and relevance (frames, bins) without derivatives, seconds and hertz."""
    values = features.reshape(*relevance.shape, -1)[..., 0]
    if where.hertz is not None:
        values, relevance = values[:, : len(where.hertz)], per_bin(relevance, len(where.hertz))
    return values, relevance, where.seconds, where.hertz


def split(waveform: np.ndarray, rate: int, relevance: np.ndarray, where: Axes, share: float) -> Parts:
    """Keeps the most relevant cells of a clip's spectrogram up to a share of its energy.

    What a cell costs is its energy, so that cells come in the order of their relevance by the energy about them:
    otherwise a few loud cells take all of the share. Cells that speak against the answer are not kept.

    Args:
        waveform: The clip (samples,).
        rate: Samples per second.
        relevance: Map (frames, bins) of its features.
        where: Places of the map's cells.
        share: Of the energy that may be kept, above 0 and below 1.

    Returns:
        The Parts.
    """
    window = min(2 * round(WINDOW_MS / 2000 * rate), max(2, len(waveform)))
    transform = signal.ShortTimeFFT(
        signal.get_window("hann", window), hop=max(1, round(window * (1 - OVERLAP))), fs=rate, scale_to="magnitude"
    )
    padded = np.pad(waveform.astype("float64"), (window, window))
    spectrum = transform.stft(padded)
    seconds = transform.t(len(padded)) - window / rate
    strength = _at(relevance, where, transform.f, seconds)
    energy = np.abs(spectrum) ** 2
    near = ndimage.gaussian_filter(energy, SMOOTH_CELLS) + 1e-6 * energy.max() + 1e-30
    order = np.argsort(-strength / near, axis=None, kind="stable")
    kept_energy = np.cumsum(energy.ravel()[order])
    affordable = np.searchsorted(kept_energy, share * kept_energy[-1])
    count = min(int(affordable), int((strength > 0).sum()))
    mask = np.zeros(spectrum.size)
    mask[order[:count]] = 1
    mask = mask.reshape(spectrum.shape)
    inverse = transform.istft(spectrum * mask, k1=len(padded))
    kept = np.asarray(inverse)[window : window + len(waveform)].astype("float32")
    total = float((energy * mask).sum() / max(energy.sum(), 1e-30))
    return Parts(kept, waveform.astype("float32") - kept, total)


def _at(relevance: np.ndarray, where: Axes, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """The map at frequencies and times, (hertz, seconds); its edges outside."""
    values = relevance if where.hertz is not None else per_bin(relevance, None)
    columns = np.clip(seconds, where.seconds[0], where.seconds[-1])
    if where.hertz is None or len(where.hertz) == 1:
        return np.broadcast_to(np.interp(columns, where.seconds, values[:, 0]), (len(hertz), len(seconds)))
    rows = np.clip(hertz, where.hertz[0], where.hertz[-1])
    found = interpolate.RegularGridInterpolator((where.seconds, where.hertz), values)
    return found(np.stack(np.meshgrid(columns, rows), axis=-1))
