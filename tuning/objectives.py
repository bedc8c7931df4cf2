"""What a sweep optimises, and what a trial must keep to."""

import dataclasses
import operator
import re

from pipelines.errors import UserError, unknown

# Of the validation split, as `metrics.json` holds them; the higher the better of the first, the lower of the others.
RISING = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "top5_accuracy")
FALLING = ("loss", "wer", "cer", "per", "sentence_error_rate")
# Of the network, without any data: known before a trial is trained.
COSTS = ("parameters", "multiply_adds", "latency_ms")
# Of the run.
SPENT = ("export_mb", "fit_seconds")
SHARES = (*RISING, "wer", "cer", "per", "sentence_error_rate")  # from 0 to 1, shown in per cent
NAMES = (*RISING, *FALLING, *COSTS, *SPENT)
COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclasses.dataclass(frozen=True)
class Objective:
    """A score of a trial, of its validation split where it is one of a split."""

    name: str

    @property
    def rises(self):
        """Whether more is better."""
        return self.name in RISING

    @property
    def title(self):
        """For tables and pictures."""
        of_split = "validation " if self.name in (*RISING, *FALLING) else ""
        return of_split + {"latency_ms": "latency, ms", "export_mb": "export, MB"}.get(
            self.name, self.name.replace("_", " ") + (", %" if self.name in SHARES else "")
        )

    def shown(self, value):
        """A value as text, to stand below `title`."""
        if value is None:
            return ""
        if self.name in SHARES:
            return f"{100 * value:.2f}"
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"

    def told(self, value):
        """A value as text by itself."""
        name, _, unit = self.title.partition(", ")
        return f"{name} {self.shown(value)}{f' {unit}' if unit else ''}"

    def better(self, one, other):
        """Whether one value is better than another."""
        return one > other if self.rises else one < other


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A bound that a trial must keep to, such as `latency_ms<5`."""

    name: str
    comparison: str
    bound: float

    def holds(self, scores):
        """Whether {name: score} keeps to it; a score that nobody knows does not."""
        value = scores.get(self.name)
        return value is not None and COMPARISONS[self.comparison](value, self.bound)

    def __str__(self):
        return f"{self.name}{self.comparison}{self.bound:.12g}"


def parse_objectives(names, measured):
    """Names -> Objectives; `measured` are the scores that the task has. UserError for what it has not."""
    if len(set(names)) < len(names) or not names:
        raise UserError(f"--objective must name at least one score, each once. Received: {' '.join(names)}")
    return tuple(Objective(_known(name, measured)) for name in names)


def parse_constraints(texts, measured):
    """Texts such as latency_ms<5 -> Constraints; UserError for another form and for scores that nothing measures."""
    result = []
    for text in texts:
        found = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([^\s<>=]*\d[^\s<>=]*)\s*", text)
        try:
            name, comparison, bound = found.groups() if found else ("", "", "")
            result.append(Constraint(_known(name, measured) if found else "", comparison, float(bound)))
        except ValueError:
            raise UserError(f"Cannot read the constraint {text!r}: write it like 'latency_ms<5', in quotes.") from None
    return tuple(result)


def _known(name, measured):
    known = [*measured, *COSTS, *SPENT]
    if name not in known:
        raise unknown("score", name, known)
    return name
