"""What the plots of a sweep share: which trials they show, their scale and colors, and safe texts."""

import re
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any

from matplotlib import pyplot as plt

from tfrec.reports.alignments import printable
from tuning.objectives import OUTLIER_FACTOR, Objective
from tuning.report.results import Results, Trial
from tuning.report.values import finite_number

MAX_DRAWN = 200  # trials; more lines cannot be distinguished
DEFAULT_STYLE: dict[str, Any] = {"color": "black", "linestyle": (0, (5, 3)), "linewidth": 1.8, "zorder": 900}


def best_trials(results: Results, maximum: int = MAX_DRAWN) -> tuple[list[Trial], str]:
    """Returns at most `maximum` of the best trials, and a sentence on those left out."""
    trials = results.ranked
    omitted = f" The best {maximum} of {len(trials)} trials." if len(trials) > maximum else ""
    return trials[:maximum], omitted


def known_scores(objective: Objective, trials: Iterable[Trial]) -> list[float]:
    """Returns the finite values of an objective."""
    numbers = (finite_number(trial.scores.get(objective.name)) for trial in trials)
    return [number for number in numbers if number is not None]


def score_scale(objective: Objective, scores: Sequence[float]) -> Callable[[float], float]:
    """Returns a function from a score to its place between 0, for the worst on the scale, and 1, for the best."""
    best, worst = (max(scores) if objective.maximize else min(scores)), objective.worst_on_scale(scores)
    return lambda score: min(max((score - worst) / (best - worst), 0.0), 1.0) if best != worst else 0.5


def color(place: float) -> Any:
    """Returns the color of a place on `score_scale`, the darkest for the best; the palest are invisible on white."""
    return plt.get_cmap("viridis")(0.92 * (1 - place))


def count(things: Sized, name: str) -> str:
    """Counts things with their name.

    >>> count([1], "trial"), count([], "trial")
    ('1 trial', '0 trials')
    """
    return f"{len(things)} {name}{'s' if len(things) != 1 else ''}"


def truncate(text: object, length: int) -> str:
    """Returns a printable text of one line with at most `length` characters."""
    line = printable(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def plot_text(text: str, length: int) -> str:
    """Truncates a text for a plot, where a dollar sign must not begin a formula."""
    return _without_formulas(truncate(text, length))


def wrap(text: str, width: int) -> str:
    """Wraps a text for a plot into at most three lines, after dots, underscores and spaces where possible."""
    lines = [""]
    for piece in re.findall(rf"[^._ ]{{1,{width}}}[._ ]?|[._ ]", truncate(text, 3 * width)):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return _without_formulas("\n".join(line.rstrip() for line in lines))


def _without_formulas(text: str) -> str:
    return text.replace("$", r"\$")


def axis_range(
    objective: Objective, values: Sequence[float], kept: Sequence[float] = (), factor: float = OUTLIER_FACTOR
) -> tuple[float, float]:
    """Returns the lowest and highest value of an axis.

    Args:
        objective: The score on the axis.
        values: One or more values, of which outliers do not extend the axis.
        kept: Values that must be on the axis.
        factor: As in `Objective.worst_on_scale`.
    """
    best = max(values) if objective.maximize else min(values)
    ends = [best, objective.worst_on_scale(values, factor), *kept]
    return min(ends), max(ends)


def with_margin(low: float, high: float, fraction: float = 0.06) -> tuple[float, float]:
    """Widens a range on both sides."""
    margin = fraction * (high - low) or 0.01 * abs(high) or 1.0
    return low - margin, high + margin
