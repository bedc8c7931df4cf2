"""What a sweep optimizes, and what a trial must keep to."""

import dataclasses
import math
import operator
import re
import statistics

from pipelines.errors import UserError, unknown

# Of the validation split, as `metrics.json` holds them; the higher the better of the first, the lower of the others.
RISING = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "top5_accuracy")
FALLING = ("loss", "wer", "cer", "per", "sentence_error_rate")
MEASURED = (*RISING, *FALLING)
# Of the network, without any data: known before a trial is trained.
COSTS = ("parameters", "multiply_adds", "latency_ms")
# Of the run.
SPENT = ("export_mb", "fit_seconds")
WORDS = {"latency_ms": ("latency", "ms"), "export_mb": ("export", "MB"), "fit_seconds": ("training", "s")}
SHARES = (*RISING, "wer", "cer", "per", "sentence_error_rate")  # from 0 to 1, shown in percent
FAR = 3
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
    def is_share(self):
        """Whether it goes from 0 to 1 and is shown in percent."""
        return self.name in SHARES

    @property
    def scale(self):
        """What its values are multiplied by to be shown."""
        return 100 if self.is_share else 1

    @property
    def title(self):
        """For tables and pictures."""
        name, unit = self._words
        return f"{name}{f', {unit}' if unit else ''}"

    @property
    def _words(self):
        """(name, unit) for people."""
        of_split = "validation " if self.name in MEASURED else ""
        return WORDS.get(self.name, (of_split + self.name.replace("_", " "), "%" if self.is_share else ""))

    def shown(self, value):
        """A value as text, to stand below `title`."""
        if value is None:
            return ""
        if self.is_share:
            return f"{100 * value:.2f}"
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"

    def valued(self, value):
        """A value as text with its unit."""
        return f"{self.shown(value)} {self._words[1]}".rstrip()

    def told(self, value):
        """A value as text by itself."""
        return f"{self._words[0]} {self.valued(value)}"

    def apart(self, value):
        """A difference between two values as text: points of percent, where it is a share."""
        return f"{100 * value:+.2f}" if self.is_share else f"{value:+.3g}"

    def rank(self, scores):
        """What sorts {name: score} the best first; those without the score come last."""
        value = scores.get(self.name)
        return math.inf if value is None or not math.isfinite(value) else -value if self.rises else value

    def worst(self, scores, far=FAR):
        """The worst of scores that still belongs on a scale: what has come to nothing shall not press the others.

        That is one `far` times as far from the best as the median. What a network costs belongs there, however much.
        """
        sign = -1 if self.rises else 1
        values = [sign * score for score in scores]
        return sign * min(max(values), fence(values, far) if self.name in MEASURED else math.inf)

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


def fence(values, far=FAR):
    """Of values that are the better the lower, one `far` times as far from the best as the median; inf where none is.

    >>> fence([1, 2, 3, 90, 100]), fence([1, 1, 5])
    (7, inf)
    """
    best, middle = min(values), statistics.median(values)
    return best + far * (middle - best) if middle != best else math.inf


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
