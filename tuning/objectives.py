"""The scores of a trial, the objectives that a sweep optimizes, and its constraints."""

import dataclasses
import math
import operator
import re
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from pipelines.errors import UserError, unknown


@dataclasses.dataclass(frozen=True)
class Score:
    """One number that is measured for a trial.

    `source` is what it is measured on: the validation split (as `metrics.json` holds it), the network alone (without
    data, so that it is known before the training), or the run. `metric` is its name in `metrics.json`, where that is
    another.
    """

    direction: Literal["max", "min"]
    is_share: bool  # from 0 to 1, shown in percent
    title: str
    unit: str = ""
    source: Literal["validation", "network", "run"] = "validation"
    metric: str = ""


UNSEEN_SPEAKERS = "unseen_speakers"  # only where whole speakers are the validation split

SCORES: dict[str, Score] = {
    "accuracy": Score("max", True, "validation accuracy", "%"),
    "macro_precision": Score("max", True, "validation macro precision", "%"),
    "macro_recall": Score("max", True, "validation macro recall", "%"),
    "macro_f1": Score("max", True, "validation macro f1", "%"),
    "top5_accuracy": Score("max", True, "validation top5 accuracy", "%"),
    UNSEEN_SPEAKERS: Score("max", True, "accuracy on the validation speakers", "%", metric="accuracy"),
    "loss": Score("min", False, "validation loss"),
    "wer": Score("min", True, "validation wer", "%"),
    "cer": Score("min", True, "validation cer", "%"),
    "per": Score("min", True, "validation per", "%"),
    "sentence_error_rate": Score("min", True, "validation sentence error rate", "%"),
    "recall_at_1": Score("max", True, "validation recall at 1", "%"),
    "recall_at_5": Score("max", True, "validation recall at 5", "%"),
    "recall_at_10": Score("max", True, "validation recall at 10", "%"),
    "mean_reciprocal_rank": Score("max", False, "validation mean reciprocal rank"),
    "mean_average_precision": Score("max", False, "validation mean average precision"),
    "probe_accuracy": Score("max", True, "validation accuracy of a linear probe", "%"),
    "knn_accuracy": Score("max", True, "validation accuracy of nearest neighbors", "%"),
    "mae": Score("min", False, "validation mean absolute error"),
    "parameters": Score("min", False, "parameters", source="network"),
    "multiply_adds": Score("min", False, "multiply adds", source="network"),
    "latency_ms": Score("min", False, "latency", "ms", source="network"),
    "export_mb": Score("min", False, "export", "MB", source="run"),
    "fit_seconds": Score("min", False, "training", "s", source="run"),
}
VALIDATION_SCORES = tuple(name for name, score in SCORES.items() if score.source == "validation")
NETWORK_SCORES = tuple(name for name, score in SCORES.items() if score.source == "network")
RUN_SCORES = tuple(name for name, score in SCORES.items() if score.source == "run")
OUTLIER_FACTOR = 3.0
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclasses.dataclass(frozen=True)
class Objective:
    """A score that a sweep optimizes."""

    name: str

    @property
    def score(self) -> Score:
        """The entry of `SCORES`; a name that is not there, such as another version's, is minimized."""
        return SCORES.get(self.name, Score("min", False, self.name.replace("_", " "), source="run"))

    @property
    def maximize(self) -> bool:
        """Whether a higher value is better."""
        return self.score.direction == "max"

    @property
    def is_share(self) -> bool:
        """Whether it goes from 0 to 1 and is shown in percent."""
        return self.score.is_share

    @property
    def scale(self) -> int:
        """The factor by which its values are multiplied to be shown."""
        return 100 if self.is_share else 1

    @property
    def title(self) -> str:
        """Title and unit, for tables and plots."""
        return f"{self.score.title}, {self.score.unit}" if self.score.unit else self.score.title

    def format(self, value: float | None) -> str:
        """Formats a value without its unit, as a cell below `title`; None gives an empty text."""
        if value is None:
            return ""
        if self.is_share:
            return f"{100 * value:.2f}"
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"

    def format_with_unit(self, value: float | None) -> str:
        """Formats a value with its unit."""
        return f"{self.format(value)} {self.score.unit}".rstrip()

    def describe(self, value: float | None) -> str:
        """Formats a value with its title and its unit."""
        return f"{self.score.title} {self.format_with_unit(value)}"

    def format_difference(self, value: float) -> str:
        """Formats a difference between two values; of shares in percentage points."""
        return f"{100 * value:+.2f}" if self.is_share else f"{value:+.3g}"

    def sort_key(self, scores: Mapping[str, float]) -> float:
        """Returns a key that sorts trials best first; a trial whose score is unknown, NaN or infinite comes last.

        Args:
            scores: All scores of a trial.
        """
        value = scores.get(self.name)
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.maximize else value

    def worst_on_scale(self, scores: Sequence[float], factor: float = OUTLIER_FACTOR) -> float:
        """Returns the worst value that a scale must show, so that diverged trials do not compress all others.

        Args:
            scores: One or more values of this objective.
            factor: As in `outlier_bound`; costs of networks have no outliers.
        """
        sign = -1 if self.maximize else 1
        values = [sign * score for score in scores]
        bound = outlier_bound(values, factor) if self.score.source == "validation" else math.inf
        return sign * min(max(values), bound)

    def is_better(self, value: float, other: float) -> bool:
        """Returns whether `value` is strictly better than `other`."""
        return value > other if self.maximize else value < other


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A bound on a score, such as `latency_ms<5`; a trial that violates it is infeasible."""

    name: str
    comparison: str
    bound: float

    def is_satisfied(self, scores: Mapping[str, float | None]) -> bool:
        """Returns whether the scores of a trial satisfy it; an unknown score does not."""
        value = scores.get(self.name)
        return value is not None and COMPARISONS[self.comparison](value, self.bound)

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.bound:.12g}"


def outlier_bound(values: Iterable[float], factor: float = OUTLIER_FACTOR) -> float:
    """Returns the value above which values are outliers: `factor` times as far from the lowest as the median.

    Args:
        values: One or more numbers, of which the lowest is the best.
        factor: Multiple of the distance between the lowest value and the median.

    Returns:
        The bound, or infinity where the median equals the lowest value.

    >>> outlier_bound([1, 2, 3, 90, 100]), outlier_bound([1, 1, 5])
    (7.0, inf)
    """
    values = list(values)
    best, median = min(values), statistics.median(values)
    return best + factor * (median - best) if median != best else math.inf


def parse_objectives(names: Sequence[str], measured: Collection[str]) -> tuple[Objective, ...]:
    """Converts the names of `--objective` to Objectives.

    Args:
        names: Names of scores, the leading one first.
        measured: Names of the scores that the task measures.

    Raises:
        UserError: If there are no names, duplicates, or names of unknown scores.
    """
    if len(set(names)) < len(names) or not names:
        raise UserError(f"--objective must name at least one score, each once. Received: {' '.join(names)}")
    return tuple(Objective(_known(name, measured)) for name in names)


def parse_constraints(texts: Iterable[str], measured: Collection[str]) -> tuple[Constraint, ...]:
    """Converts texts such as `latency_ms<5` to Constraints.

    Args:
        texts: The values of `--constraint`.
        measured: Names of the scores that the task measures.

    Raises:
        UserError: If a text has another form or names an unknown score.
    """
    result = []
    for text in texts:
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([^\s<>=]*\d[^\s<>=]*)\s*", text)
        try:
            name, comparison, bound = match.groups() if match else ("", "", "")
            result.append(Constraint(_known(name, measured) if match else "", comparison, float(bound)))
        except ValueError:
            raise UserError(f"Cannot read the constraint {text!r}: write it like 'latency_ms<5', in quotes.") from None
    return tuple(result)


def _known(name: str, measured: Collection[str]) -> str:
    known = [*measured, *NETWORK_SCORES, *RUN_SCORES]
    if name not in known:
        raise unknown("score", name, known)
    return name
