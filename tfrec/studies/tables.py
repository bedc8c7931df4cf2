"""Tables of a study: scores by row, with intervals over the seeds and margins over a baseline."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.table import Table as TerminalTable

from tfrec.evaluation.metrics.per_example import COUNTED, TITLES
from tfrec.reports.gallery import csv_text
from tfrec.runs.run import Run

if TYPE_CHECKING:
    from tfrec.studies.study import Step

Interval = tuple[float, float]

MAIN_SCORES = tuple(COUNTED)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as text (headings, lines), and the numbers of its CSV file (records)."""

    name: str
    title: str
    headings: tuple[str, ...]
    lines: list[tuple[str, ...]]
    records: list[dict[str, Any]]


def score(run: Run) -> tuple[str, float]:
    """Returns the name and value of a finished run's main score on its test split, the first of `MAIN_SCORES` there."""
    test = run.read_json("metrics.json")["test"]
    name = next(name for name in MAIN_SCORES if name in test)
    return name, test[name]


def summarize(folder: pathlib.Path, steps: Sequence["Step"], baseline: str) -> list[dict[str, Any]]:
    """Summarizes the main scores of each row over the seeds.

    Args:
        folder: the study's folder.
        steps: its finished steps.
        baseline: the row whose scores are subtracted for the margins, seed by seed.

    Returns:
        For each row {"row", "values", "mean", "interval", "margin", "margin_interval"}. Intervals are Student's t at
        95 % over the seeds, None for a single seed; margins are None for the baseline.
    """
    values: dict[str, list[float]] = {}
    for step in steps:
        if step.row:
            values.setdefault(step.row, []).append(score(Run(folder / "runs" / step.label))[1])
    result = []
    for row, scores in values.items():
        margins = None
        if row != baseline and len(scores) == len(values[baseline]):
            margins = np.subtract(scores, values[baseline])
        result.append(
            {
                "row": row,
                "values": scores,
                "mean": float(np.mean(scores)),
                "interval": t_interval(scores),
                "margin": None if margins is None else float(np.mean(margins)),
                "margin_interval": None if margins is None else t_interval(margins),
            }
        )
    return result


def t_interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """Returns Student's t interval at 95 % of the mean of a few values; None for a single value."""
    from scipy import stats  # slow to import

    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return float(np.mean(values) - half), float(np.mean(values) + half)


def margin_table(folder: pathlib.Path, steps: Sequence["Step"], baseline: str, name: str, title: str) -> Table:
    """Builds the table of main scores, and of their margins over a baseline.

    Args:
        folder: the study's folder.
        steps: its finished steps.
        baseline: row that the margins are measured against.
        name: name of the CSV file, without its ending.
        title: title of the table.

    Returns:
        The table; scores are in percent, margins in percentage points.
    """
    rows = summarize(folder, steps, baseline)
    first = next(step for step in steps if step.row)
    measured = TITLES[score(Run(folder / "runs" / first.label))[0]]
    headings = ("training", f"{measured}, %", "95 % interval", "margin, points", "95 % interval", "each seed, %")
    records = [
        {
            "training": row["row"],
            "mean": row["mean"],
            **dict(zip(("low", "high"), row["interval"] or ("", ""), strict=True)),
            "margin": row["margin"],
            **dict(zip(("margin_low", "margin_high"), row["margin_interval"] or ("", ""), strict=True)),
            "values": " ".join(map(str, row["values"])),
        }
        for row in rows
    ]
    return Table(name, title, headings, [_cells(row) for row in rows], records)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["row"],
        percent(row["mean"]),
        percent_range(row["interval"]),
        percent(row["margin"]),
        percent_range(row["margin_interval"]),
        ", ".join(percent(value) for value in row["values"]),
    )


def percent(fraction: float | None) -> str:
    """Returns a fraction in percent, an empty text for None.

    >>> percent(0.9876)
    '98.8'
    """
    return "" if fraction is None else f"{100 * fraction:.1f}"


def percent_range(bounds: Interval | None) -> str:
    """Returns an interval of fractions in percent, an empty text for None.

    >>> percent_range((0.5, 0.625))
    '50.0 to 62.5'
    """
    return "" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def for_terminal(table: Table) -> TerminalTable:
    """Returns a table for the terminal."""
    result = TerminalTable(box=box.SIMPLE, title=table.title)
    for number, heading in enumerate(table.headings):
        result.add_column(heading, justify="right" if number else "left")
    for line in table.lines:
        result.add_row(*line)
    return result


def write(folder: pathlib.Path, tables: Sequence[Table]) -> None:
    """Writes study.md with all tables, and a CSV file for each."""
    text = []
    for table in tables:
        lines = [table.headings, ["---", *["---:"] * (len(table.headings) - 1)], *table.lines]
        text.append(f"{table.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines))
        rows = csv_text.of_records(list(table.records[0]), table.records)
        Run(folder).write_text(f"{table.name}.csv", rows)
    Run(folder).write_text("study.md", "\n".join(text))
