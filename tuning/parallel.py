"""A sweep as parallel coordinates: an axis for each parameter and one for the score, a line for each trial.

Inselberg 1985, "The plane with parallel coordinates", The Visual Computer 1.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import ticker

from tuning.drawing import DEFAULT_STYLE, color, counted, folded, goodness, plain, ranked, scores_of
from tuning.importance import distinct, number, spoken

ACROSS = 12  # parameters beside each other
OUTSIDE = -0.13  # height of the place for what does not count


@dataclasses.dataclass(frozen=True)
class _Axis:
    """Where values stand on an axis from 0 to 1: `place` gives None for those that do not count."""

    title: str
    place: Callable
    ticks: list  # (place, text)
    scattered: bool = False  # whether many trials have the same place
    left: bool = False  # whether some have none


def parallel(results, found):
    """Each done trial as a line over its parameters to its score; `found` are the Importances."""
    objective, trials, left_out = results.objectives[0], *ranked(results)
    parameters = distinct(results.parameters)
    if not trials or not parameters:
        return None
    caption = f"{counted(trials, 'trial')} from parameter to parameter; darker is better, the best is thick"
    if len(parameters) > ACROSS:
        ranks = {row.name: rank for rank, row in enumerate(found.rows)}
        kept = sorted(parameters, key=lambda one: ranks.get(one.name, 0))[:ACROSS]
        which = "most important" if found.rows else "first"
        caption += f". The {ACROSS} {which} of {len(parameters)} parameters"
        parameters = [one for one in parameters if one in kept]
    start = [results.default] if results.default else []
    axes = []
    for parameter in parameters:
        values = [trial.values.get(parameter.name) for trial in [*trials, *start]]
        axis = _parameter_axis(parameter, values)
        axes.append(dataclasses.replace(axis, left=any(axis.place(value) is None for value in values)))
    axes.append(_score_axis(objective, scores_of(objective, results.done + start)))
    figure, axis = plt.subplots(figsize=(max(5.5, 1.35 * len(axes) + 1), 6.2), layout="constrained")
    best, across = trials[0], np.arange(len(axes))
    for i, trial in enumerate(reversed(trials)):  # the best last
        places = [one.place(trial.values.get(parameter.name)) for one, parameter in zip(axes, parameters, strict=False)]
        scatter = 0 if trial is best else 0.035 * (i * 0.618 % 1 - 0.5)
        heights = [
            OUTSIDE + scatter if place is None else place + scatter * one.scattered
            for place, one in zip(places, axes, strict=False)
        ]
        height = axes[-1].place(trial.scores[objective.name])
        thick = {"linewidth": 3, "zorder": 800} if trial is best else {"linewidth": 1.1, "zorder": 2 + height}
        fade = 1 if trial is best else max(0.35, 0.9 - len(trials) / 300)
        axis.plot(across, [*heights, height], color=color(height), alpha=fade, **thick)
    if results.default:
        caption += "; dashed the default"
        values = [results.default.values.get(parameter.name) for parameter in parameters]
        score = number(results.default.scores.get(objective.name))
        places = [one.place(value) for one, value in zip(axes, [*values, score], strict=True)]
        known = places if score is not None else places[:-1]
        axis.plot(across[: len(known)], [OUTSIDE if place is None else place for place in known], **DEFAULT_STYLE)
    _draw_axes(axis, axes)
    below = ' "-": does not count, or has no place on the axis.' if any(one.left for one in axes) else ""
    return figure, f"{caption}.{below}{left_out}"


def _parameter_axis(parameter, values):
    if parameter.low is None:
        texts = list(dict.fromkeys([*parameter.choices, *(spoken(value) for value in values if value is not None)]))
        places = {text: i / (len(texts) - 1) if len(texts) > 1 else 0.5 for i, text in enumerate(texts)}
        thinned = texts[:: math.ceil(len(texts) / 30)]
        ticks = [(places[text], plain(text, 14)) for text in thinned]
        return _Axis(parameter.name, lambda value: None if value is None else places[spoken(value)], ticks, True)
    found = [one for value in values if (one := number(value)) is not None and (one > 0 or not parameter.log)]
    ends = min([parameter.low, *found]), max([parameter.high, *found])
    forth = math.log if parameter.log else float
    low, high = map(forth, ends)

    def place(value):
        known = number(value)
        return None if known is None or (parameter.log and known <= 0) else (forth(known) - low) / ((high - low) or 1)

    between = (
        ticker.LogLocator(subs=(1,) if ends[1] > 1000 * ends[0] else (1, 2, 5)).tick_values(*ends)
        if parameter.log
        else ticker.MaxNLocator(5, integer=parameter.whole).tick_values(*ends)
    )
    if parameter.whole:
        between = [value for value in between if value % 1 == 0]
    return _Axis(parameter.name, place, _ticks(ends, between, place, lambda value: f"{value:.4g}"), parameter.whole)


def _score_axis(objective, scores):
    """The best on top, whichever way is better."""
    best, lowest = (max(scores) if objective.rises else min(scores)), objective.worst(scores)
    height = goodness(objective, scores)
    between = ticker.MaxNLocator(5).tick_values(*sorted((best, lowest)))
    ticks = _ticks((lowest, best), between, height, objective.shown)
    if any(objective.better(lowest, score) for score in scores):
        ticks[0] = (0.0, f"{ticks[0][1]} or worse")
    return _Axis(objective.title, lambda score: None if score is None else height(score), ticks)


def _ticks(ends, between, place, written):
    """Those between the ends that leave each other room, and the ends."""
    chosen = list(dict.fromkeys(ends))
    for value in between:
        inside = min(ends) < value < max(ends)
        if inside and all(abs(place(value) - place(other)) > 0.06 for other in chosen):
            chosen.append(float(value))
    return [(place(value), written(value)) for value in chosen]


def _draw_axes(axis, axes):
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "edgecolor": "none"}
    for x, one in enumerate(axes):
        axis.plot([x, x], [0, 1], color="0.3", linewidth=1.2, zorder=850)
        for height, text in [*one.ticks, *([(OUTSIDE, "  -  ")] if one.left else [])]:
            axis.plot([x - 0.03, x + 0.03], [height, height], color="0.3", linewidth=1.2, zorder=850)
            axis.text(x + 0.06, height, text, va="center", fontsize=8, zorder=950, bbox=box)
        axis.text(x, 1.05, folded(one.title, 18), ha="center", va="bottom", fontsize=8.5, weight="bold")
    axis.set(xlim=(-0.4, len(axes) - 0.3), ylim=(OUTSIDE - 0.05, 1.06))
    axis.set_axis_off()
