"""Explanations as pictures: the input, and over it which parts of it mattered."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from scipy import signal

from tfrec.reports import fonts, plots
from tfrec.reports.search import draw_raw

COLORS = "RdBu_r"  # red speaks for the answer, blue against it
SPECTROGRAM_MS, DYNAMIC_RANGE_DB = 32.0, 80.0  # window, and weakest that has a color of its own, below the strongest
PERCENTILE = 99.5  # of the relevances; higher ones have the strongest color
MAX_STRETCHES = 6  # of the clip of a matchmap
SHOWN_SHARE = 0.5  # of the range of a stretch's similarities, above which its region is drawn


def plain(pixels: np.ndarray, path: plots.Path) -> None:
    """Draws a picture (height, width, channels) in [0, 255] as it is, into a PNG file."""
    figure, axis = plt.subplots(figsize=(3.5, 3.5), layout="constrained")
    draw_raw(axis, pixels)
    axis.set_axis_off()
    plots.save(figure, path)


def spectrogram(samples: np.ndarray, rate: int, path: plots.Path) -> None:
    """Draws the power of a waveform (samples,) over time and frequency, in decibels, into a PNG file."""
    window = min(len(samples), max(16, round(SPECTROGRAM_MS / 1000 * rate)))
    figure, axis = plt.subplots(figsize=(6, 2.5), layout="constrained")
    axis.set(xlabel="time, s", ylabel="frequency, Hz")
    if window > 1:
        power = signal.ShortTimeFFT(signal.get_window("hann", window), max(1, window // 4), rate, scale_to="psd")
        values = 10 * np.log10(power.spectrogram(samples.astype("float64")) + 1e-12)
        seconds = power.t(len(samples))
        _mesh(axis, seconds, power.f, values.T, cmap="magma", vmin=values.max() - DYNAMIC_RANGE_DB)
    plots.save(figure, path)


def picture(pixels: np.ndarray, relevance: np.ndarray, title: str, path: plots.Path) -> None:
    """Draws a picture beside itself with its map.

    Args:
        pixels: (height, width, channels) in [0, 255], as the network sees the picture.
        relevance: (height, width) of the features.
        title: Of the figure.
        path: PNG file to write.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained")
    draw_raw(left, pixels)
    draw_raw(right, pixels.mean(axis=-1, keepdims=True))
    height, width = pixels.shape[:2]
    limit = _limit(relevance)
    image = right.imshow(
        relevance,
        cmap=COLORS,
        vmin=-limit,
        vmax=limit,
        alpha=np.clip(0.15 + 0.65 * np.abs(relevance) / limit, 0, 0.8),
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )
    for axis in (left, right):
        axis.set(xticks=[], yticks=[])
    figure.colorbar(image, ax=right, shrink=0.8, label="relevance")
    figure.suptitle(fonts.label(title), fontsize=10)
    plots.save(figure, path)


def clip(features: np.ndarray, relevance: np.ndarray, seconds: np.ndarray, hertz: Any, title: str, path: Any) -> None:
    """Draws the features of a clip above their map.

    Args:
        features: (frames, bins), or of a waveform (samples, 1).
        relevance: Of the same shape.
        seconds: Time of each frame.
        hertz: Frequency of each bin; None where bins have none.
        title: Of the figure.
        path: PNG file to write.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5.5), sharex=True, layout="constrained")
    limit = _limit(relevance)
    if features.shape[1] == 1:
        above.plot(seconds, features[:, 0], linewidth=0.4)
        below.plot(seconds, relevance[:, 0], linewidth=0.4)
        below.set(ylabel="relevance")
    else:
        rows = np.arange(features.shape[1]) if hertz is None else hertz
        _mesh(above, seconds, rows, features, cmap="magma")
        mesh = _mesh(below, seconds, rows, relevance, cmap=COLORS, vmin=-limit, vmax=limit)
        figure.colorbar(mesh, ax=below, label="relevance")
        for axis in (above, below):
            axis.set(ylabel="coefficient" if hertz is None else "frequency, Hz")
    below.set(xlabel="time, s")
    figure.suptitle(fonts.label(title), fontsize=10)
    plots.save(figure, path)


def words(
    features: np.ndarray,
    relevances: Sequence[tuple[str, np.ndarray]],
    seconds: np.ndarray,
    title: str,
    path: plots.Path,
) -> None:
    """Draws the features of a recording, and below them for each word which frames made it.

    Args:
        features: (frames, bins).
        relevances: Each word with the relevance of each frame (frames,).
        seconds: Time of each frame.
        title: Of the figure.
        path: PNG file to write.
    """
    height = 2.2 + 0.3 * len(relevances)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 2.2 + height), sharex=True, layout="constrained", height_ratios=(2.2, height)
    )
    _mesh(above, seconds, np.arange(features.shape[1]), features, cmap="magma")
    above.set(ylabel="bin")
    shares = np.stack([each / max(np.abs(each).max(), 1e-12) for _, each in relevances])
    _mesh(below, seconds, np.arange(len(shares)), shares.T, cmap=COLORS, vmin=-1, vmax=1)
    below.set_yticks(range(len(shares)), [fonts.label(word) for word, _ in relevances])
    below.invert_yaxis()
    below.set(xlabel="time, s")
    figure.suptitle(fonts.label(title), fontsize=10)
    plots.save(figure, path)


def matchmap(values: np.ndarray, pixels: np.ndarray, features: np.ndarray, title: str, path: plots.Path) -> None:
    """Draws a picture for each stretch of a clip, with the region that it points to, and the spectrogram below.

    Args:
        values: similarities of cells and steps (height, width, steps).
        pixels: of the picture (height, width, channels).
        features: spectrogram (frames, bins).
        title: of the figure.
        path: PNG file to write.
    """
    stretches = np.array_split(np.arange(values.shape[-1]), min(MAX_STRETCHES, values.shape[-1]))
    figure = plt.figure(figsize=(2.3 * max(len(stretches), 2), 5), layout="constrained")
    grid = figure.add_gridspec(2, len(stretches), height_ratios=(3, 2))
    below = figure.add_subplot(grid[1, :])
    below.imshow(
        features.T, origin="lower", aspect="auto", cmap="magma", extent=(0, len(features), 0, features.shape[1])
    )
    below.set(xlabel="frames", ylabel="bins")
    height, width = pixels.shape[:2]
    frames_per_step = len(features) / values.shape[-1]
    for i, steps in enumerate(stretches):
        axis, color = figure.add_subplot(grid[0, i]), matplotlib.colormaps["tab10"](i)
        draw_raw(axis, pixels)
        region = values[:, :, steps].mean(axis=-1)
        low, high = float(region.min()), float(region.max())
        strength = (region - low) / max(high - low, 1e-9)
        alpha = 0.7 * np.clip((strength - SHOWN_SHARE) / (1 - SHOWN_SHARE), 0, 1)
        tint = np.broadcast_to(np.array(color[:3]), (*region.shape, 3))
        overlay = np.concatenate([tint, alpha[..., None]], axis=-1)
        axis.imshow(overlay, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="bilinear")
        axis.set(xticks=[], yticks=[])
        axis.set_title(f"up to {high:.2f}", fontsize=8, color=color)
        below.axvspan(steps[0] * frames_per_step, (steps[-1] + 1) * frames_per_step, ymax=0.06, color=color)
    figure.suptitle(fonts.label(title), fontsize=9)
    plots.save(figure, path)


def _mesh(axis: Any, seconds: np.ndarray, rows: np.ndarray, values: np.ndarray, **style: Any) -> Any:
    """Colors cells (frames, rows) about their times and heights."""
    return axis.pcolormesh(seconds, rows, values.T, shading="nearest", rasterized=True, **style)


def _limit(relevance: np.ndarray) -> float:
    """The relevance that has the strongest color; positive."""
    return max(float(np.percentile(np.abs(relevance), PERCENTILE)), 1e-12)
