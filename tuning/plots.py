"""What a sweep shows, as figures; each function gives (figure, caption), or None where there is nothing to see.

They take `Results`, and do not trust names, values and scores: all is shortened, and nothing is read as mathematics.
"""

import dataclasses
import itertools
import math

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import ticker

from tuning.drawing import DEFAULT_STYLE, color, counted, folded, goodness, plain, ranked, scores_of
from tuning.importance import number
from tuning.objectives import FAR, Objective

BARS = 25
LABELED = 14  # trials with their names in one picture
CURVES_FAR = 6  # the first epochs are far from the last


def importance(found):
    """Bars of `Importances`, the most important on top."""
    if not found.rows:
        return None
    rows = found.rows[:BARS][::-1]
    figure, axis = plt.subplots(figsize=(8, 1.4 + 0.36 * len(rows)), layout="constrained")
    axis.barh(
        range(len(rows)),
        [100 * row.share for row in rows],
        xerr=[100 * row.spread for row in rows],
        color="C0" if found.trusted else "silver",
        height=0.65,
        error_kw={"ecolor": "black", "capsize": 3},
    )
    axis.set_yticks(range(len(rows)), [plain(row.name, 40) for row in rows], fontsize=9)
    axis.set(xlabel="share of the differences in the score, %", ylim=(-0.6, len(rows) - 0.4))
    axis.set_xlim(right=max(axis.get_xlim()[1], 10))  # what is about nothing shall look like it
    axis.axvline(0, color="black", linewidth=0.8)
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(folded(found.sentence, 105), fontsize=10, x=0.01, ha="left")
    more = f" The {BARS} most important of {len(found.rows)}." if len(found.rows) > BARS else ""
    return figure, f"importance of the parameters, with the spread of the measurement.{more}"


def curves(results):
    """The validation score of each done trial after each epoch, or its loss where the score is none of an epoch."""
    objective, (trials, left_out) = results.objectives[0], ranked(results)
    best, trials = trials[:1], [trial for trial in trials if trial.history]
    start = [results.default] if results.default and results.default.history else []
    names = [name for name in (objective.name, "loss") if any(_curve(trial, name) for trial in trials + start)]
    if not names:
        return None
    shown = Objective(names[0])
    lines = [
        (trial, [(x, shown.scale * y) for x, y in _curve(trial, shown.name)]) for trial in [*reversed(trials), *start]
    ]
    height = goodness(objective, scores_of(objective, trials) or [0.0])
    figure, axis = plt.subplots(figsize=(9, 5.2), layout="constrained")
    for trial, line in lines:
        if not line:
            continue
        if trial in start:
            style = {**DEFAULT_STYLE, "label": "default"}
        elif trial in best:
            style = {"linewidth": 3, "zorder": 800, "label": f"best: {plain(trial.label, 24)}"}
        else:
            style = {"linewidth": 0.9, "alpha": 0.7}
        if trial not in start:
            style["color"] = color(height(trial.scores[objective.name]))
        axis.plot(*zip(*line, strict=True), **style, marker="." if len(line) < 3 else None)
    kept = [line[-1][1] for trial, line in lines if line and trial in best + start]
    values = [y for _, line in lines for _, y in line]
    low, high = _ends(shown, values, kept, CURVES_FAR)
    axis.set_ylim(*_with_room(low, high))
    cut = "" if low <= min(values) and max(values) <= high else "; what is far worse is cut off"
    axis.set(xlabel="epoch", ylabel=shown.title)
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=9).set_zorder(1000)
    return figure, f"{shown.title} after each epoch; darker is better{cut}.{left_out}"


def front(results):
    """The first objective against each of the others, with the trials that no other beats in both."""
    first, *others = results.objectives
    pairs = [(other, _both(results, first, other)) for other in others]
    pairs = [(other, trials) for other, trials in pairs if trials]
    if not pairs:
        return None
    wide = min(len(pairs), 2)
    high = math.ceil(len(pairs) / wide)
    size = (6.5 * wide + (1.5 if wide == 1 else 0), 5 * high)
    figure, axes = plt.subplots(high, wide, figsize=size, layout="constrained", squeeze=False)
    for axis in axes.flat[len(pairs) :]:
        axis.set_visible(False)
    drawn = [
        _draw_front(axis, first, other, trials, results)
        for axis, (other, trials) in zip(axes.flat, pairs, strict=False)
    ]
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=9)
    figure.canvas.draw()  # fixes the axes, on whose pixels the labels are placed
    for axis, (other, _), (named, _) in zip(axes.flat, pairs, drawn, strict=False):
        _label_front(axis, first, other, named)
    edge = "; what is far worse stands at the edge" if any(clipped for _, clipped in drawn) else ""
    dots = counted(pairs[0][1], "trial")
    told = "the line, the Pareto front, joins those that no other beats in both, named where there is room"
    return figure, f"{dots}; {told}{edge}."


def progress(results):
    """Each finished trial's score, in the order in which they began, and the best so far."""
    objective = results.objectives[0]
    ended = [trial for trial in results.trials if trial.status != "running" and trial is not results.default]
    points = [
        (i, objective.scale * number(trial.scores[objective.name]))
        for i, trial in enumerate(ended, 1)
        if trial.status == "done" and number(trial.scores.get(objective.name)) is not None
    ]
    if not points:
        return None
    figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
    x, y = zip(*points, strict=True)
    best = list(itertools.accumulate(y, max if objective.rises else min))
    axis.step([*x, len(ended) + 0.5], [*best, best[-1]], where="post", color="C0", linewidth=2, label="best so far")
    start = number(results.default.scores.get(objective.name)) if results.default else None
    if start is not None:
        axis.axhline(objective.scale * start, **DEFAULT_STYLE, label="default")
    low, high = _ends(objective, y, [objective.scale * start] if start is not None else [])
    axis.set_ylim(*_with_room(low, high))
    inside = [low <= value <= high for value in y]
    axis.scatter(x, np.clip(y, low, high), s=22, color="C1", zorder=3, label="trial", clip_on=False)
    lost = [i for i, trial in enumerate(ended, 1) if trial.status != "done"]
    if lost:
        marks = {"marker": "x", "color": "firebrick", "clip_on": False, "transform": axis.get_xaxis_transform()}
        axis.scatter(lost, [0] * len(lost), s=26, zorder=4, label="failed or infeasible", **marks)
    axis.set(xlabel="finished trials", ylabel=objective.title, xlim=(0.5, len(ended) + 0.5))
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=9)
    edge = "" if all(inside) else f"; {counted([i for i in inside if not i], 'trial')} far worse at the edge"
    return figure, f"the best so far over finished trials{edge}."


def _ends(objective, values, kept=(), far=FAR):
    """The lowest and highest that belong on an axis: of `values` without what has come to nothing, and `kept`."""
    ends = [max(values) if objective.rises else min(values), objective.worst(values, far), *kept]
    return min(ends), max(ends)


def _with_room(low, high, part=0.06):
    room = part * (high - low) or 0.01 * abs(high) or 1.0
    return low - room, high + room


def _curve(trial, name):
    """[(epoch, value)] of the validation split."""
    found = [(number(row.get("epoch", i)), number(row.get(f"val_{name}"))) for i, row in enumerate(trial.history, 1)]
    return [point for point in found if None not in point]


def _both(results, first, other):
    return [
        trial
        for trial in results.done
        if all(number(trial.scores.get(objective.name)) is not None for objective in (first, other))
    ]


def _front(results, first, other, trials):
    """Those that no other beats in both, in the order of `other`."""
    pair = dataclasses.replace(results, objectives=(first, other), trials=tuple(trials))
    return sorted(pair.front, key=lambda trial: _point(trial, first, other))


def _point(trial, first, other):
    return tuple(objective.scale * trial.scores[objective.name] for objective in (other, first))


def _draw_front(axis, first, other, trials, results):
    """One pair of objectives; returns [(label, place)] of the front, and whether any trial is at the edge instead."""
    start = dataclasses.replace(results, trials=(results.default,) if results.default else ())
    start = [_point(trial, first, other) for trial in _both(start, first, other)]
    points = np.array([_point(trial, first, other) for trial in trials])
    across, up = (_ends(one, points[:, i], [point[i] for point in start]) for i, one in enumerate((other, first)))
    low, high = zip(across, up, strict=True)
    clipped = np.clip(points, low, high)
    axis.scatter(*clipped.T, s=22, color="C0", alpha=0.6, label="trial")
    best = _front(results, first, other, trials)
    places = np.clip([_point(trial, first, other) for trial in best], low, high)
    where = "pre" if other.rises else "post"
    axis.step(*places.T, where=where, color="C1", marker="o", markersize=6, label="front")
    if start:
        axis.scatter(*start[0], s=90, color="black", marker="*", zorder=4, label="default")
    if across[0] > 0 and across[1] > 20 * across[0]:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
    axis.margins(x=0.2)  # for the names
    axis.set(xlabel=other.title, ylabel=first.title, ylim=_with_room(*up))
    axis.grid(alpha=0.3)
    return [(trial.label, place) for trial, place in zip(best, places, strict=True)], bool((clipped != points).any())


def _label_front(axis, first, other, named):
    """Names on the side where nothing lies, since nothing beats them: none that would cover another."""
    placed = []
    toward = (-1 if not other.rises else 1), (1 if first.rises else -1)
    for label, place in named[:: math.ceil(len(named) / LABELED)]:
        pixels = axis.transData.transform(place)
        if all(abs(pixels[1] - y) > 16 or abs(pixels[0] - x) > 90 for x, y in placed):
            placed.append(pixels)
            axis.annotate(
                plain(label, 18),
                place,
                xytext=(5 * toward[0], 5 * toward[1]),
                textcoords="offset points",
                ha="right" if toward[0] < 0 else "left",
                va="bottom" if toward[1] > 0 else "top",
                fontsize=8,
            ).set_in_layout(False)
