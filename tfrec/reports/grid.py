"""Examples side by side as PNG: each row one example, each column one look at it."""

import numpy as np
from matplotlib import pyplot as plt

from tfrec.reports import plots

DPI = 120  # of `plots.save`
LONGEST_NAME = 16  # characters; more do not fit beside or over a cell


def images(looks, names, notes, title, path):
    """Pictures.

    looks: (columns, rows, height, width, channels), values in [0, 1]; names: one for each row; notes: one or two lines
    over each cell, (columns, rows), or None.
    """
    height, width = np.shape(looks)[2:4]
    wide = np.clip(width / DPI, 1.1, 2.0)
    high = wide * np.clip(height / width, 0.4, 2.5)
    figure, axes = _axes(looks, wide, high, names, notes, title)
    for axis, picture in zip(axes.T.flat, (picture for column in looks for picture in column), strict=True):
        color = picture.shape[-1] >= 3
        axis.imshow(picture[..., :3] if color else picture[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="none")
        axis.set(xticks=[], yticks=[])
    plots.save(figure, path)


def spectrograms(looks, seconds, names, title, path):
    """Features over time, which runs to the right, frequency upwards; each row has a scale of colors of its own.

    looks: for each column a list of (frames, bins); seconds: how long each row lasts, the same in every column.
    """
    figure, axes = _axes(looks, 2.0, 1.2, names, None, title)
    for rows, column in zip(axes.T, looks, strict=True):
        for axis, first, features, length in zip(rows, looks[0], column, seconds, strict=True):
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


def short(name):
    """A class's name, cut where it would not fit."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _axes(looks, wide, high, names, notes, title):
    """A figure with room for the texts, and its axes (rows, columns), each cell so many inches wide and high."""
    columns, rows = len(looks), len(names)
    size = (columns * (wide + 0.08) + 1.3, rows * (high + (0.3 if notes else 0.1)) + 0.9)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    figure.suptitle(title, fontsize=10)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(short(name), rotation=0, ha="right", va="center", fontsize=9)
    for axis, note in zip(axes.T.flat, (note for column in notes or () for note in column), strict=False):
        axis.set_title(note, fontsize=6, pad=2)
    return figure, axes
