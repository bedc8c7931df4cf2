"""The plots of a sweep, as figures: importances, learning curves, progress.

Each function returns (figure, caption), or None where there is nothing to show. Names, values and scores are not
trusted: all texts are truncated, and none is parsed as a formula.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import ticker

from tuning.objectives import Objective
from tuning.report import drawing
from tuning.report.drawing import DEFAULT_STYLE
from tuning.report.importance import Importances
from tuning.report.results import Results, Trial
from tuning.report.values import finite_number

Plot = tuple[Any, str]  # (figure, caption)
Curve = list[tuple[float, float]]  # (epoch, value)

MAX_BARS = 25
CURVE_OUTLIER_FACTOR = 6.0  # the first epochs are far from the last


def importance(importances: Importances) -> Plot | None:
    """Draws the importances as bars, the most important at the top."""
    if not importances.rows:
        return None
    rows = importances.rows[:MAX_BARS][::-1]
    figure, axis = plt.subplots(figsize=(8, 1.4 + 0.36 * len(rows)), layout="constrained")
    axis.barh(
        range(len(rows)),
        [100 * row.share for row in rows],
        xerr=[100 * row.spread for row in rows],
        color="C0" if importances.is_reliable else "silver",
        height=0.65,
        error_kw={"ecolor": "black", "capsize": 3},
    )
    axis.set_yticks(range(len(rows)), [drawing.plot_text(row.name, 40) for row in rows], fontsize=9)
    axis.set(xlabel="share of the differences in the score, %", ylim=(-0.6, len(rows) - 0.4))
    axis.set_xlim(right=max(axis.get_xlim()[1], 10))  # so that shares near zero have short bars
    axis.axvline(0, color="black", linewidth=0.8)
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(drawing.wrap(importances.summary, 105), fontsize=10, x=0.01, ha="left")
    total = len(importances.rows)
    omitted = f" The {MAX_BARS} most important of {total}." if total > MAX_BARS else ""
    return figure, f"importance of the parameters, with the spread of the measurement.{omitted}"


def curves(results: Results) -> Plot | None:
    """Draws the validation score of each completed trial over the epochs; its loss, if the score is not of an epoch."""
    objective, (ranked, omitted) = results.objectives[0], drawing.best_trials(results)
    best, trials = ranked[:1], [trial for trial in ranked if trial.history]
    start = [results.default] if results.default and results.default.history else []
    names = [name for name in (objective.name, "loss") if any(_curve(trial, name) for trial in trials + start)]
    if not names:
        return None
    shown = Objective(names[0])
    lines = [(trial, _scaled(_curve(trial, shown.name), shown.scale)) for trial in [*reversed(trials), *start]]
    lines = [(trial, line) for trial, line in lines if line]
    place = drawing.score_scale(objective, drawing.known_scores(objective, trials) or [0.0])
    figure, axis = plt.subplots(figsize=(9, 5.2), layout="constrained")
    for trial, line in lines:
        style: dict[str, Any] = {"linewidth": 0.9, "alpha": 0.7}
        if trial in start:
            style = {**DEFAULT_STYLE, "label": "default"}
        elif trial in best:
            style = {"linewidth": 3, "zorder": 800, "label": f"best: {drawing.plot_text(trial.label, 24)}"}
        if trial not in start:
            style["color"] = drawing.color(place(trial.scores[objective.name]))
        axis.plot(*zip(*line, strict=True), **style, marker="." if len(line) < 3 else None)
    kept = [line[-1][1] for trial, line in lines if trial in best + start]
    values = [y for _, line in lines for _, y in line]
    low, high = drawing.axis_range(shown, values, kept, CURVE_OUTLIER_FACTOR)
    axis.set_ylim(*drawing.with_margin(low, high))
    cut = "" if low <= min(values) and max(values) <= high else "; outliers are cut off"
    axis.set(xlabel="epoch", ylabel=shown.title)
    _use_integer_ticks(axis)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=9).set_zorder(1000)
    return figure, f"{shown.title} after each epoch; darker is better{cut}.{omitted}"


def progress(results: Results) -> Plot | None:
    """Draws the score of each finished trial, in the order in which they started, and the best so far."""
    objective = results.objectives[0]
    ended = [trial for trial in results.trials if trial.status != "running" and trial is not results.default]
    points = list(_points(objective, ended))
    if not points:
        return None
    figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
    x, y = zip(*points, strict=True)
    best = list(itertools.accumulate(y, max if objective.maximize else min))
    axis.step([*x, len(ended) + 0.5], [*best, best[-1]], where="post", color="C0", linewidth=2, label="best so far")
    default = finite_number(results.default.scores.get(objective.name)) if results.default else None
    if default is not None:
        axis.axhline(objective.scale * default, **DEFAULT_STYLE, label="default")
    low, high = drawing.axis_range(objective, y, [objective.scale * default] if default is not None else [])
    axis.set_ylim(*drawing.with_margin(low, high))
    outliers = [value for value in y if not low <= value <= high]
    axis.scatter(x, np.clip(y, low, high), s=22, color="C1", zorder=3, label="trial", clip_on=False)
    failed = [i for i, trial in enumerate(ended, 1) if trial.status != "done"]
    if failed:
        style = {"marker": "x", "color": "firebrick", "clip_on": False, "transform": axis.get_xaxis_transform()}
        axis.scatter(failed, [0] * len(failed), s=26, zorder=4, label="failed or infeasible", **style)
    axis.set(xlabel="finished trials", ylabel=objective.title, xlim=(0.5, len(ended) + 0.5))
    _use_integer_ticks(axis)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=9)
    edge = f"; {drawing.count(outliers, 'outlier')} at the edge" if outliers else ""
    return figure, f"the best so far over finished trials{edge}."


def _use_integer_ticks(axis: Any) -> None:
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)


def _curve(trial: Trial, name: str) -> Curve:
    """The values of a score on the validation split over the epochs."""
    rows = enumerate(trial.history, 1)
    points = [(finite_number(row.get("epoch", i)), finite_number(row.get(f"val_{name}"))) for i, row in rows]
    return [(epoch, value) for epoch, value in points if epoch is not None and value is not None]


def _scaled(curve: Curve, factor: float) -> Curve:
    return [(epoch, factor * value) for epoch, value in curve]


def _points(objective: Objective, ended: Sequence[Trial]) -> Iterable[tuple[int, float]]:
    """Yields (number of the trial, its score as shown) of the completed trials."""
    for i, trial in enumerate(ended, 1):
        score = finite_number(trial.scores.get(objective.name))
        if trial.status == "done" and score is not None:
            yield i, objective.scale * score
