"""Pieces of Markdown: tables, numbers, and what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

# Scores that are parts of a whole.
SHARES = ("accuracy", "recall", "precision", "coverage", "wer", "cer", "per", "error", "ece", "miss", "alarm")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yields the lines of a table; the first column is text, the others are numbers."""
    yield ""
    yield f"| {' | '.join(map(cell, heads))} |"
    yield f"| --- |{' ---: |' * (len(heads) - 1)}"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"
    yield ""


def cell(value: Any) -> str:
    """A value in a table, on one line."""
    return " ".join(str(value).split()).replace("|", "\\|") or "-"


def score(name: str, value: float | None) -> str:
    """A score: parts of a whole in percent, others with four digits."""
    if value is None:
        return "-"
    return f"{100 * value:.2f} %" if any(part in name for part in SHARES) else f"{value:.4g}"


def scored(name: str, value: float | None, interval: Sequence[float] | None) -> str:
    """A score with its interval where there is one."""
    if not interval:
        return score(name, value)
    low, high = (score(name, bound) for bound in interval)
    return f"{score(name, value)} ({low} to {high})"


def of_cell(measure: str, found: Mapping[str, Any] | None) -> str:
    """The score of a cell of a report, {measure: value, "interval": [low, high]}; "-" without one."""
    return scored(measure, found[measure], found.get("interval")) if found else "-"


def not_measured(what: str, command: str) -> list[str]:
    """What is not measured, and the command that measures it."""
    return [f"{what}: not measured. `{command}` measures it.", ""]
