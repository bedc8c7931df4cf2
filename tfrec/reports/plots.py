"""Learning curves and confusion matrices as PNG, and what all plots share."""

import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import matplotlib
import numpy as np

matplotlib.use("Agg")  # runs on servers without a display

from matplotlib import pyplot as plt

from tfrec.reports import fonts

DPI = 120
COLORS = [*plt.get_cmap("tab10").colors, *plt.get_cmap("Dark2").colors]
MARKERS = "osD^v<>PXph*"
LOWEST, HIGHEST = 0.0, 100.0  # percent, of heat maps; higher error rates have the color of the highest

Path = str | pathlib.Path | BinaryIO
Axis = Any  # a matplotlib Axes
Figure = Any
Style = tuple[Any, str]  # color, marker


def learning_curves(history: Sequence[Mapping[str, float]], path: Path, kept: Sequence[int] = ()) -> None:
    """Plots training and validation together, a panel for each quantity.

    Args:
        history: a dict {"epoch", "loss", "val_loss", ...} of each epoch. A quantity that only validation measures, such
            as an error rate, has one curve.
        path: PNG file to write.
        kept: the epochs whose weights are kept, which a line marks.
    """
    names = [name.removeprefix("val_") for name in history[0] if name.startswith("val_")]
    figure, axes = plt.subplots(1, len(names), figsize=(5 * len(names), 3.6), layout="constrained", squeeze=False)
    epochs = [row["epoch"] for row in history]
    for axis, name in zip(axes[0], names, strict=True):
        if name in history[0]:
            axis.plot(epochs, [row[name] for row in history], marker=".", color="C0", label="training")
        axis.plot(epochs, [row[f"val_{name}"] for row in history], marker=".", color="C1", label="validation")
        for i, epoch in enumerate(kept):
            label = "kept epoch" if len(kept) == 1 else "kept epochs"
            axis.axvline(epoch, color="gray", linestyle="--", linewidth=1, label=None if i else label)
        axis.set(xlabel="epoch", title=name)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend()
    save(figure, path)


def confusion(matrix: Sequence[Sequence[int]] | np.ndarray, class_names: Sequence[str], path: Path) -> None:
    """Plots a confusion matrix, each row colored by its shares; with numbers where there is room.

    Args:
        matrix: counts (label, prediction).
        class_names: name of each class.
        path: PNG file to write.
    """
    matrix = np.asarray(matrix)
    classes = len(class_names)
    size = min(4 + 0.35 * classes, 24)
    figure, axis = plt.subplots(figsize=(size, size), layout="constrained")
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, shrink=0.7, label="share of the true class")
    names, legend = _class_labels(class_names)
    axis.set(xlabel=f"prediction{legend}", ylabel="label", title="confusion matrix")
    step = max(1, classes // 50)  # more than 50 names are not legible
    ticks = range(0, classes, step)
    axis.set_xticks(ticks, [names[i] for i in ticks], rotation=90)
    axis.set_yticks(ticks, [names[i] for i in ticks])
    if classes <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            color = "white" if share[row, column] > 0.5 else "black"
            axis.text(column, row, matrix[row, column], ha="center", va="center", color=color, fontsize=8)
    save(figure, path)


def _class_labels(class_names: Sequence[str]) -> tuple[list[str], str]:
    """(a label for each class, a sentence on those that are numbers, since no font has their letters)."""
    drawable = [fonts.is_drawable(name) for name in class_names]
    labels = [
        fonts.label(name) if shown else str(i)
        for i, (name, shown) in enumerate(zip(class_names, drawable, strict=True))
    ]
    return labels, "" if all(drawable) else "\n(numbers: classes in the order of labels.json, from 0)"


def heat_map(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    path: Path,
    *,
    label: str,
    xlabel: str,
    title: str,
    means: int = 0,
    is_high_better: bool = True,
) -> None:
    """Plots percentages as colors with numbers; the better, the brighter.

    Args:
        values: percent, (rows, columns).
        rows: name of each row.
        columns: name of each column.
        path: PNG file to write.
        label: what the values are.
        xlabel: what the columns are.
        title: title of the figure.
        means: number of rows at the end that are means, which a line separates.
        is_high_better: whether a higher value is the better one.
    """
    figure, axis = plt.subplots(figsize=(3.2 + 0.9 * len(columns), 1.8 + 0.5 * len(rows)), layout="constrained")
    colors = "viridis" if is_high_better else "viridis_r"
    image = axis.imshow(values, cmap=colors, vmin=LOWEST, vmax=HIGHEST, aspect="auto")
    figure.colorbar(image, ax=axis, label=f"{label}, %")
    for (row, column), value in np.ndenumerate(values):
        brightness = value if is_high_better else HIGHEST - value
        color = "black" if brightness > 65 else "white"
        axis.text(column, row, f"{value:.1f}", ha="center", va="center", color=color, fontsize=9)
    if means:
        axis.axhline(len(rows) - means - 0.5, color="white", linewidth=4)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), fonts.labels(rows))
    axis.set(xlabel=xlabel, title=title)
    save(figure, path)


def scatter(pairs: Any, path: pathlib.Path) -> None:
    """Draws pairs (truth, answer) of numbers as points, with the diagonal on which they agree."""
    points = np.asarray(pairs, "float64").reshape(-1, 2)
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    axis.scatter(*points.T, s=8, alpha=0.6)
    axis.axline((0, 0), slope=1, color="gray", linewidth=1)
    axis.set(xlabel="truth", ylabel="answer", title="predicted numbers")
    axis.grid(alpha=0.3)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG and closes it."""
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def styles(count: int) -> list[Style]:
    """Returns a color and a marker for each of `count` curves."""
    pairs: Iterator[Style] = zip(itertools.cycle(COLORS), itertools.cycle(MARKERS), strict=False)
    return list(itertools.islice(pairs, count))


def abbreviate(number: float) -> str:
    """Writes a large number with three digits and a unit.

    >>> [abbreviate(number) for number in (950, 61_706, 1_248_424, 15_470_264_320, 999_600)]
    ['950', '61.7 k', '1.25 M', '15.5 G', '1.00 M']
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            digits = 3 - len(str(int(number / size + 1e-9)))
            return f"{number / size:.{max(digits, 0)}f} {unit}"
    return f"{number:.0f}"
