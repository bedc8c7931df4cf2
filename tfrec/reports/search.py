"""Pictures of a search: the query with its matches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patches
from matplotlib import pyplot as plt

from tfrec.reports import fonts, plots

COLUMNS = 5  # of a contact sheet


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
