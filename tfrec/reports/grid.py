"""Grids of examples as PNG: each row is an example, each column a version of it, such as one augmentation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from tfrec.reports import fonts, plots

MAX_NAME_LENGTH = 16  # characters that fit at a row or above a cell


def images(
    columns: np.ndarray | Sequence[Any],
    names: Sequence[str],
    notes: Sequence[Sequence[str]] | None,
    title: str,
    path: plots.Path,
) -> None:
    """Draws images.

    Args:
        columns: (columns, rows, height, width, channels), values in [0, 1].
        names: name of each row.
        notes: one or two lines above each cell, (columns, rows), or None.
        title: title of the figure.
        path: PNG file to write.
    """
    height, width = np.shape(columns)[2:4]
    cell_width = np.clip(width / plots.DPI, 1.1, 2.0)
    cell_height = cell_width * np.clip(height / width, 0.4, 2.5)
    figure, axes = _subplots(len(columns), (cell_width, cell_height), names, notes, title)
    for axis, image in zip(axes.T.flat, (image for column in columns for image in column), strict=True):
        color = image.shape[-1] >= 3
        axis.imshow(image[..., :3] if color else image[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="none")
        axis.set(xticks=[], yticks=[])
    plots.save(figure, path)


def spectrograms(
    columns: Sequence[Sequence[np.ndarray]],
    seconds: Sequence[float] | np.ndarray,
    names: Sequence[str],
    title: str,
    path: plots.Path,
) -> None:
    """Draws features over time, with time to the right and frequency upwards; each row has its own color scale.

    Args:
        columns: for each column the features (frames, bins) of each row.
        seconds: duration of each row, the same in every column.
        names: name of each row.
        title: title of the figure.
        path: PNG file to write.
    """
    figure, axes = _subplots(len(columns), (2.0, 1.2), names, None, title)
    for row_axes, column in zip(axes.T, columns, strict=True):
        for axis, first, features, length in zip(row_axes, columns[0], column, seconds, strict=True):
            low, high = np.quantile(first, [0.01, 0.995])
            axis.imshow(
                features.T,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=low,
                vmax=max(high, low + 1e-6),
                extent=(0, length, 0, features.shape[1]),
                interpolation="none",
            )
            axis.set(xlim=(0, max(seconds)), yticks=[], facecolor="0.9")
            axis.tick_params(labelsize=7, labelbottom=axis in axes[-1])
    figure.supxlabel("time, s", fontsize=9)
    figure.supylabel("frequency", fontsize=9)
    plots.save(figure, path)


def truncate(name: str) -> str:
    """Cuts a name to `MAX_NAME_LENGTH` characters."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"


def _subplots(
    columns: int,
    cell_size: tuple[float, float],
    names: Sequence[str],
    notes: Sequence[Sequence[str]] | None,
    title: str,
) -> tuple[plots.Figure, np.ndarray]:
    """A figure with room for the texts, and its axes (rows, columns), whose size is (width, height) in inches."""
    rows, (width, height) = len(names), cell_size
    size = (columns * (width + 0.08) + 1.3, rows * (height + (0.3 if notes else 0.1)) + 0.9)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    figure.suptitle(fonts.label(title), fontsize=10)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(fonts.label(truncate(name)), rotation=0, ha="right", va="center", fontsize=9)
    for axis, note in zip(axes.T.flat, (note for column in notes or () for note in column), strict=False):
        axis.set_title("\n".join(map(fonts.label, note.split("\n"))), fontsize=6, pad=2)
    return figure, axes
