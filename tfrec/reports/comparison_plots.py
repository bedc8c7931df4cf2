"""Plots of a comparison as PNG: accuracies as bars, time against accuracy, learning curves.

A model has the same color and marker in every plot.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import ticker

from tfrec.reports import fonts, plots

POINTS_PER_INCH = 72

Row = Mapping[str, Any]  # of `comparison.rows`
Box = tuple[float, ...]  # left, bottom, right, top, in pixels


def accuracies(rows: Sequence[Row], path: plots.Path) -> None:
    """Plots the test accuracy of each model as a bar with its 95 % interval, the best on top.

    Args:
        rows: rows of `comparison.rows` of trained models.
        path: PNG file to write.
    """
    rows = sorted(rows, key=lambda row: row["test_accuracy"])
    figure, axis = plt.subplots(figsize=(9, 1.4 + 0.5 * len(rows)), layout="constrained")
    values = 100 * np.array([row["test_accuracy"] for row in rows])
    bounds = 100 * np.array([row["test_interval"] for row in rows])
    colors = [row["style"][0] for row in rows]
    axis.barh(range(len(rows)), values, color=colors, height=0.65, alpha=0.85)
    axis.errorbar(values, range(len(rows)), xerr=_error_bars(values, bounds), fmt="none", ecolor="black", capsize=4)
    for i, (value, (low, high)) in enumerate(zip(values, bounds, strict=True)):
        axis.annotate(
            f"{value:.2f}  ({low:.2f} to {high:.2f})",
            (high, i),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axis.set_yticks(range(len(rows)), [fonts.label(row["title"]) for row in rows])
    # From 0, since a bar is read by its length; the space on the right is for the numbers.
    axis.set(xlim=(0, 138), xlabel="test accuracy, %, with 95 % interval", ylim=(-0.6, len(rows) - 0.4))
    axis.set_xticks(range(0, 101, 10))
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    plots.save(figure, path)


def times(rows: Sequence[Row], path: plots.Path) -> None:
    """Plots test accuracy against training time: until validation accuracy is nearly at its best, and of one epoch.

    The whole training time is the budget, and the same for all. The area of a marker is the number of parameters.

    Args:
        rows: rows of `comparison.rows` of trained models with their history.
        path: PNG file to write.
    """
    figure, axes = plt.subplots(1, 2, figsize=(13, 5.6), layout="constrained", sharey=True)
    keys = ("converged_minutes", "epoch_seconds")
    largest = max(row["parameters"] for row in rows)
    for axis, key in zip(axes, keys, strict=True):
        for row in rows:
            value, bounds = 100 * row["test_accuracy"], 100 * np.array([row["test_interval"]])
            color, marker = row["style"]
            axis.errorbar(
                row[key], value, yerr=_error_bars([value], bounds), fmt="none", ecolor=color, alpha=0.6, zorder=1
            )
            size = _area(row["parameters"], largest)
            axis.scatter(row[key], value, s=size, color=color, marker=marker, alpha=0.8, zorder=2)
        axis.grid(alpha=0.3)
        axis.margins(x=0.2, y=0.15)
    axes[0].set(ylabel="test accuracy, %, with 95 % interval")
    axes[0].set(xlabel="minutes of training until within one point of the best validation accuracy")
    axes[1].set(xlabel="seconds for one epoch")
    _use_log_scale(axes[1], [row["epoch_seconds"] for row in rows])
    sizes = [largest * part for part in (1, 0.3, 0.1)]
    handles = [plt.scatter([], [], s=_area(size, largest), color="gray", alpha=0.8) for size in sizes]
    figure.legend(
        handles,
        [plots.abbreviate(size) for size in sizes],
        title="parameters",
        loc="outside right upper",
        labelspacing=1,
    )
    figure.canvas.draw()  # fixes the pixels of the axes, where the labels are placed
    for axis, key in zip(axes, keys, strict=True):
        _label(axis, rows, key, largest)
    plots.save(figure, path)


def curves(rows: Sequence[Row], path: plots.Path) -> None:
    """Plots training loss and validation accuracy, over minutes and over epochs.

    Args:
        rows: rows of `comparison.rows` with their history.
        path: PNG file to write.
    """
    figure, axes = plt.subplots(2, 2, figsize=(13, 8), layout="constrained", sharex="col", sharey="row")
    for row in rows:
        history, (color, marker) = row["history"], row["style"]
        times = ([epoch["minutes"] for epoch in history], [epoch["epoch"] for epoch in history])
        every = max(1, len(history) // 8)
        options = {"color": color, "marker": marker, "markevery": every, "markersize": 5, "linewidth": 1.5}
        for column, x in enumerate(times):
            accuracy = [100 * epoch["val_accuracy"] for epoch in history]
            axes[0, column].plot(x, accuracy, label=fonts.label(row["title"]), **options)
            axes[1, column].plot(x, [epoch["loss"] for epoch in history], **options)
    axes[0, 0].set(ylabel="validation accuracy, %")
    axes[1, 0].set(ylabel="training loss", xlabel="minutes of training")
    axes[1, 1].set(xlabel="epochs")
    axes[1, 0].set_xlim(left=0)
    axes[1, 1].xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    _use_log_scale(axes[1, 1], [len(row["history"]) for row in rows])
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    plots.save(figure, path)


def _error_bars(values: Sequence[float] | np.ndarray, bounds: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return np.maximum([values - bounds[:, 0], bounds[:, 1] - values], 0)


def _area(parameters: float, largest: float) -> float:
    """The area of a marker in square points."""
    return 30 + 370 * parameters / largest


def _use_log_scale(axis: plots.Axis, values: Sequence[float]) -> None:
    """Makes an axis logarithmic where values differ by a factor of ten; with ticks at 1, 2, 5, not at powers of ten."""
    if max(values) < 10 * min(values):
        return
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())


def _label(axis: plots.Axis, rows: Sequence[Row], key: str, largest: float) -> None:
    """Writes each model's name in free space near its marker, with a line where that is far."""
    scale = axis.figure.dpi / POINTS_PER_INCH
    renderer, inside = axis.figure.canvas.get_renderer(), axis.get_window_extent()
    taken = [_marker(axis, row, key, largest) for row in rows]
    for row in rows:
        low, high = ((row[key], 100 * bound) for bound in row["test_interval"])
        taken.append((*(axis.transData.transform(low) - scale), *(axis.transData.transform(high) + scale)))
    for row, marker in zip(rows, taken[: len(rows)], strict=True):
        text = axis.text(0, 0, fonts.label(row["label"]), fontsize=9)
        size = np.array(text.get_window_extent(renderer).size)
        text.remove()
        distance, middle = _free_place(np.array(marker), size / 2 + scale, taken, inside, scale)
        taken.append((*(middle - size / 2), *(middle + size / 2)))
        color = _dark(row["style"][0])
        axis.annotate(
            row["label"],
            (row[key], 100 * row["test_accuracy"]),
            xytext=axis.transData.inverted().transform(middle),  # in pixels it would depend on the resolution
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.7} if distance > 10 * scale else None,
            ha="center",
            va="center",
            fontsize=9,
            color=color,
        ).set_in_layout(False)


def _marker(axis: plots.Axis, row: Row, key: str, largest: float) -> Box:
    """The box of a model's marker."""
    center = axis.transData.transform((row[key], 100 * row["test_accuracy"]))
    radius = axis.figure.dpi / POINTS_PER_INCH * np.sqrt(_area(row["parameters"], largest)) / 2
    return (*(center - radius), *(center + radius))


def _free_place(
    marker: np.ndarray, half: np.ndarray, taken: Sequence[Box], inside: Any, scale: float
) -> tuple[float, np.ndarray]:
    """(distance, middle) of the free place nearest to a marker for a box of half that size, in pixels."""
    center, radius = (marker[:2] + marker[2:]) / 2, (marker[2] - marker[0]) / 2
    for distance, angle in itertools.product(np.arange(3, 240, 6) * scale, np.arange(0, 2 * np.pi, np.pi / 8)):
        toward = np.array([np.cos(angle), np.sin(angle)])
        middle = center + (radius + distance) * toward + toward * half
        box = (*(middle - half), *(middle + half))
        if _within(box, inside) and not any(_overlap(box, other) for other in taken):
            break
    return distance, middle


def _dark(color: Sequence[float]) -> tuple[float, ...]:
    return tuple(0.65 * part for part in color)


def _within(box: Box, extent: Any) -> bool:
    return box[0] >= extent.x0 and box[1] >= extent.y0 and box[2] <= extent.x1 and box[3] <= extent.y1


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
