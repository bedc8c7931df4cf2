"""The plot of the Pareto front: the first objective against each of the others."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import ticker

from tuning.objectives import Objective
from tuning.report import drawing
from tuning.report.plots import Plot
from tuning.report.results import Results, Trial
from tuning.report.values import finite_number

MAX_LABELS = 14  # of trials in one plot
LOG_RATIO = 20  # highest / lowest value of an axis from which it is logarithmic
LABEL_WIDTH, LABEL_HEIGHT = 90, 16  # pixels

Pair = tuple[Objective, Objective]  # on the vertical and on the horizontal axis
Labels = list[tuple[str, Any]]  # (label of a trial, its point)


def front(results: Results) -> Plot | None:
    """Draws the trials and their front for each pair of the first objective and another one."""
    first, *others = results.objectives
    pairs = [((first, other), _measured(results.done, (first, other))) for other in others]
    pairs = [(pair, trials) for pair, trials in pairs if trials]
    if not pairs:
        return None
    columns = min(len(pairs), 2)
    rows = math.ceil(len(pairs) / columns)
    size = (6.5 * columns + (1.5 if columns == 1 else 0), 5 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axis in axes.flat[len(pairs) :]:
        axis.set_visible(False)
    drawn = [_draw(axis, pair, trials, results) for axis, (pair, trials) in zip(axes.flat, pairs, strict=False)]
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=9)
    figure.canvas.draw()  # fixes the axes, on whose pixels the labels are placed
    for axis, (pair, _), (labels, _) in zip(axes.flat, pairs, drawn, strict=False):
        _add_labels(axis, pair, labels)
    edge = "; outliers are at the edge" if any(clipped for _, clipped in drawn) else ""
    trials = drawing.count(pairs[0][1], "trial")
    line = "the line is the Pareto front of the trials that no other beats in both, labeled where there is space"
    return figure, f"{trials}; {line}{edge}."


def _measured(trials: Sequence[Trial], pair: Pair) -> list[Trial]:
    """The trials with finite values of both objectives."""
    return [
        trial
        for trial in trials
        if all(finite_number(trial.scores.get(objective.name)) is not None for objective in pair)
    ]


def _front(results: Results, pair: Pair, trials: Sequence[Trial]) -> list[Trial]:
    """The front of one pair, sorted along the horizontal axis."""
    only = dataclasses.replace(results, objectives=pair, trials=tuple(trials))
    return sorted(only.front, key=lambda trial: _point(trial, pair))


def _point(trial: Trial, pair: Pair) -> tuple[float, float]:
    """(x, y) of a trial."""
    vertical, horizontal = pair
    return horizontal.scale * trial.scores[horizontal.name], vertical.scale * trial.scores[vertical.name]


def _draw(axis: Any, pair: Pair, trials: Sequence[Trial], results: Results) -> tuple[Labels, bool]:
    """Draws one pair; returns the labels of its front, and whether outliers are clipped to the edge."""
    vertical, horizontal = pair
    default = [results.default] if results.default and results.default.status == "done" else []
    starts = [_point(trial, pair) for trial in _measured(default, pair)]
    points = np.array([_point(trial, pair) for trial in trials])
    x_range, y_range = (
        drawing.axis_range(objective, points[:, i].tolist(), [start[i] for start in starts])
        for i, objective in enumerate((horizontal, vertical))
    )
    low, high = zip(x_range, y_range, strict=True)
    clipped = np.clip(points, low, high)
    axis.scatter(*clipped.T, s=22, color="C0", alpha=0.6, label="trial")
    best = _front(results, pair, trials)
    places = np.clip([_point(trial, pair) for trial in best], low, high)
    where = "pre" if horizontal.maximize else "post"
    axis.step(*places.T, where=where, color="C1", marker="o", markersize=6, label="front")
    if starts:
        axis.scatter(*starts[0], s=90, color="black", marker="*", zorder=4, label="default")
    _format_axes(axis, pair, x_range, y_range)
    labels = [(trial.label, place) for trial, place in zip(best, places, strict=True)]
    return labels, bool((clipped != points).any())


def _format_axes(axis: Any, pair: Pair, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
    vertical, horizontal = pair
    if x_range[0] > 0 and x_range[1] > LOG_RATIO * x_range[0]:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
    axis.margins(x=0.2)  # space for the labels
    axis.set(xlabel=horizontal.title, ylabel=vertical.title, ylim=drawing.with_margin(*y_range))
    axis.grid(alpha=0.3)


def _add_labels(axis: Any, pair: Pair, labels: Labels) -> None:
    """Adds labels on the side of the front without trials, where they do not overlap."""
    vertical, horizontal = pair
    used: list[Any] = []
    x_sign, y_sign = (1 if horizontal.maximize else -1), (1 if vertical.maximize else -1)
    for label, place in labels[:: math.ceil(len(labels) / MAX_LABELS)]:
        pixels = axis.transData.transform(place)
        if all(abs(pixels[1] - y) > LABEL_HEIGHT or abs(pixels[0] - x) > LABEL_WIDTH for x, y in used):
            used.append(pixels)
            axis.annotate(
                drawing.plot_text(label, 18),
                place,
                xytext=(5 * x_sign, 5 * y_sign),
                textcoords="offset points",
                ha="right" if x_sign < 0 else "left",
                va="bottom" if y_sign > 0 else "top",
                fontsize=8,
            ).set_in_layout(False)
