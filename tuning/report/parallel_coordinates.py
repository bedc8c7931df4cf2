"""The plot of parallel coordinates: an axis for each parameter and one for the score, a line for each trial.

Inselberg 1985, "The plane with parallel coordinates", The Visual Computer 1.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import ticker

from tuning.objectives import Objective
from tuning.report import drawing
from tuning.report.drawing import DEFAULT_STYLE
from tuning.report.importance import Importances
from tuning.report.plots import Plot
from tuning.report.results import Results, Trial
from tuning.report.values import finite_number, format_value
from tuning.search_space.parameters import Parameter, merge_by_name

MAX_PARAMETERS = 12
INACTIVE = -0.13  # height of the place for inactive parameters
MAX_TICKS = 30  # of a parameter with choices
MIN_TICK_DISTANCE = 0.06

Place = Callable[[Any], float | None]  # from a value to its height on an axis, 0 to 1; None for inactive parameters
Ticks = list[tuple[float, str]]  # (height, text)


@dataclasses.dataclass(frozen=True)
class _Axis:
    title: str
    place: Place
    ticks: Ticks
    is_scattered: bool = False  # whether many trials have the same place
    has_inactive: bool = False  # whether some trials have none


def parallel_coordinates(results: Results, importances: Importances) -> Plot | None:
    """Draws each completed trial as a line over its parameters to its score; of many parameters the most important."""
    objective, (trials, omitted) = results.objectives[0], drawing.best_trials(results)
    parameters = merge_by_name(results.parameters)
    if not trials or not parameters:
        return None
    caption = f"{drawing.count(trials, 'trial')} from parameter to parameter; darker is better, the best is thick"
    if len(parameters) > MAX_PARAMETERS:
        which = "most important" if importances.rows else "first"
        caption += f". The {MAX_PARAMETERS} {which} of {len(parameters)} parameters"
        parameters = _most_important(parameters, importances)
    default = [results.default] if results.default else []
    axes = []
    for parameter in parameters:
        values = [trial.values.get(parameter.name) for trial in [*trials, *default]]
        axis = _parameter_axis(parameter, values)
        axes.append(dataclasses.replace(axis, has_inactive=any(axis.place(value) is None for value in values)))
    axes.append(_score_axis(objective, drawing.known_scores(objective, results.done + default)))
    figure, canvas = plt.subplots(figsize=(max(5.5, 1.35 * len(axes) + 1), 6.2), layout="constrained")
    for i, trial in enumerate(reversed(trials)):  # the best last
        _draw_trial(canvas, axes, parameters, trial, trial.scores[objective.name], i, trials)
    if results.default:
        caption += "; dashed the default"
        _draw_default(canvas, axes, parameters, results.default, objective)
    _draw_axes(canvas, axes)
    has_inactive = any(axis.has_inactive for axis in axes)
    note = ' "-": inactive, or not on the scale of the axis.' if has_inactive else ""
    return figure, f"{caption}.{note}{omitted}"


def _most_important(parameters: Sequence[Parameter], importances: Importances) -> list[Parameter]:
    """The most important parameters, or the first, in their own order."""
    ranks = {row.name: rank for rank, row in enumerate(importances.rows)}
    kept = sorted(parameters, key=lambda parameter: ranks.get(parameter.name, 0))[:MAX_PARAMETERS]
    return [parameter for parameter in parameters if parameter in kept]


def _draw_trial(
    canvas: Any,
    axes: Sequence[_Axis],
    parameters: Sequence[Parameter],
    trial: Trial,
    score: float,
    index: int,
    trials: Sequence[Trial],
) -> None:
    """Draws the line of one of `trials`, with a little jitter where many have the same place."""
    is_best = trial is trials[0]
    jitter = 0 if is_best else 0.035 * (index * 0.618 % 1 - 0.5)
    heights = []
    for axis, parameter in zip(axes, parameters, strict=False):
        place = axis.place(trial.values.get(parameter.name))
        heights.append(INACTIVE + jitter if place is None else place + jitter * axis.is_scattered)
    height = axes[-1].place(score) or 0.0
    style = {"linewidth": 3, "zorder": 800} if is_best else {"linewidth": 1.1, "zorder": 2 + height}
    alpha = 1 if is_best else max(0.35, 0.9 - len(trials) / 300)
    canvas.plot(np.arange(len(axes)), [*heights, height], color=drawing.color(height), alpha=alpha, **style)


def _draw_default(
    canvas: Any, axes: Sequence[_Axis], parameters: Sequence[Parameter], default: Trial, objective: Objective
) -> None:
    """Draws the line of the default; up to the last parameter, if its score is unknown."""
    values = [default.values.get(parameter.name) for parameter in parameters]
    places = [axis.place(value) for axis, value in zip(axes, values, strict=False)]
    heights = [INACTIVE if place is None else place for place in places]
    score = finite_number(default.scores.get(objective.name))
    if score is not None:
        heights.append(axes[-1].place(score) or 0.0)
    canvas.plot(np.arange(len(heights)), heights, **DEFAULT_STYLE)


def _parameter_axis(parameter: Parameter, values: Sequence[Any]) -> _Axis:
    """The axis of a parameter, which has room for all its values and those of the trials."""
    if parameter.low is None or parameter.high is None:
        return _choice_axis(parameter, values)
    is_log, low, high = parameter.log, parameter.low, parameter.high
    numbers = [number for value in values if (number := finite_number(value)) is not None]
    numbers = [number for number in numbers if number > 0 or not is_log]
    ends = min([low, *numbers]), max([high, *numbers])
    transform = math.log if is_log else float
    bottom, top = map(transform, ends)

    def place(value: Any) -> float | None:
        number = finite_number(value)
        if number is None or (is_log and number <= 0):
            return None
        return (transform(number) - bottom) / ((top - bottom) or 1)

    if is_log:
        inner = ticker.LogLocator(subs=(1,) if ends[1] > 1000 * ends[0] else (1, 2, 5)).tick_values(*ends)
    else:
        inner = ticker.MaxNLocator(5, integer=parameter.is_integer).tick_values(*ends)
    if parameter.is_integer:
        inner = [value for value in inner if value % 1 == 0]
    ticks = _ticks(ends, inner, place, lambda value: f"{value:.4g}")
    return _Axis(parameter.name, place, ticks, parameter.is_integer)


def _choice_axis(parameter: Parameter, values: Sequence[Any]) -> _Axis:
    used = (format_value(value) for value in values if value is not None)
    texts = list(dict.fromkeys([*parameter.choices, *used]))
    places = {text: i / (len(texts) - 1) if len(texts) > 1 else 0.5 for i, text in enumerate(texts)}
    thinned = texts[:: math.ceil(len(texts) / MAX_TICKS)]
    ticks = [(places[text], drawing.plot_text(text, 14)) for text in thinned]

    def place(value: Any) -> float | None:
        return None if value is None else places[format_value(value)]

    return _Axis(parameter.name, place, ticks, is_scattered=True)


def _score_axis(objective: Objective, scores: Sequence[float]) -> _Axis:
    """The axis of the score, with the best at the top."""
    best, worst = (max(scores) if objective.maximize else min(scores)), objective.worst_on_scale(scores)
    place = drawing.score_scale(objective, scores)
    inner = ticker.MaxNLocator(5).tick_values(*sorted((best, worst)))
    ticks = _ticks((worst, best), inner, place, objective.format)
    if any(objective.is_better(worst, score) for score in scores):
        ticks[0] = (0.0, f"{ticks[0][1]} or worse")
    return _Axis(objective.title, place, ticks)


def _ticks(ends: tuple[float, float], inner: Iterable[float], place: Place, write: Callable[[float], str]) -> Ticks:
    """The ends, and those of the inner ticks that do not overlap."""
    heights = {end: place(end) or 0.0 for end in ends}
    for value in inner:
        height = place(value)
        if height is None or not min(ends) < value < max(ends):
            continue
        if all(abs(height - other) > MIN_TICK_DISTANCE for other in heights.values()):
            heights[float(value)] = height
    return [(height, write(value)) for value, height in heights.items()]


def _draw_axes(canvas: Any, axes: Sequence[_Axis]) -> None:
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "edgecolor": "none"}
    for x, axis in enumerate(axes):
        canvas.plot([x, x], [0, 1], color="0.3", linewidth=1.2, zorder=850)
        for height, text in [*axis.ticks, *([(INACTIVE, "  -  ")] if axis.has_inactive else [])]:
            canvas.plot([x - 0.03, x + 0.03], [height, height], color="0.3", linewidth=1.2, zorder=850)
            canvas.text(x + 0.06, height, text, va="center", fontsize=8, zorder=950, bbox=box)
        canvas.text(x, 1.05, drawing.wrap(axis.title, 18), ha="center", va="bottom", fontsize=8.5, weight="bold")
    canvas.set(xlim=(-0.4, len(axes) - 0.3), ylim=(INACTIVE - 0.05, 1.06))
    canvas.set_axis_off()
