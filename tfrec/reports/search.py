"""Pictures of a search: the query with its matches, and the parts of a picture that speech points to."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import patches
from matplotlib import pyplot as plt

from tfrec.reports import fonts, plots

COLUMNS = 5  # of a contact sheet
MAX_STRETCHES = 6  # of a clip
SHOWN_SHARE = 0.5  # of the range of a stretch's similarities, above which its region is drawn


def contact_sheet(items: Sequence[tuple[str, np.ndarray]], path: plots.Path) -> None:
    """Draws pictures and waveforms, the first of which is the query.

    Args:
        items: for each a title and its pixels (height, width, channels) or samples (samples,).
        path: PNG file to write.
    """
    rows = -(-len(items) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2.2 * COLUMNS, 2.5 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for i, (axis, (title, raw)) in enumerate(zip(axes.flat, items, strict=False)):
        draw_raw(axis, raw)
        axis.set_title("\n".join(map(fonts.label, title.split("\n"))), fontsize=8)
        if i == 0:
            frame = patches.Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, edgecolor="C1", linewidth=4)
            axis.add_patch(frame)
    plots.save(figure, path)


def draw_raw(axis: Any, raw: np.ndarray) -> None:
    """Draws pixels (height, width, channels), or a waveform (samples,)."""
    if raw.ndim == 1:
        axis.plot(raw, linewidth=0.4)
        axis.set(ylim=(-1, 1), xlim=(0, max(len(raw), 1)))
        return
    shown = raw[..., :3] if raw.shape[-1] >= 3 else raw[..., 0]
    axis.imshow(np.asarray(shown, "float32") / 255, cmap="gray", vmin=0, vmax=1, aspect="equal")


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
