"""A study: many trainings that differ in one thing, each with several seeds, and one table of what came out.

study.json            how it was started
study.md, study.csv   the table
runs/LABEL/           an ordinary run for each training
logs/LABEL.txt        what it printed
"""

import csv
import dataclasses
import io

import numpy as np
from rich import box
from rich.table import Table

from pipelines.errors import UserError
from tfrec import processes
from tfrec.cli import console
from tfrec.runs import Run

LOOK_SECONDS = 1.0  # between two looks at a training


@dataclasses.dataclass(frozen=True)
class Step:
    """One training: its run's folder, the row of the table that it belongs to, and the words for `tfrec.fit`.

    A row of None is none: others start from what it has learnt.
    """

    label: str
    row: str | None
    words: tuple[str, ...]


def train(folder, steps):
    """Trains what is not trained yet, one after the other; UserError where a training fails."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(steps, start=1):
        run = Run(folder / "runs" / step.label)
        if run.is_measured():
            continue
        console.print(f"{step.label} ({number} of {len(steps)}): {step.row or 'what others start from'}")
        reason = processes.train(run, [*step.words, "--export.no_after_fit"], logs, _wait)
        if reason:
            raise UserError(f"{step.label} failed: {reason} See {logs / step.label}.txt; --resume goes on.")
        console.print(f"    {accuracy(run):.2%} of the test split")


def accuracy(run):
    """A finished run's accuracy on its test split."""
    return run.read_json("metrics.json")["test"]["accuracy"]


def _wait(process, run):
    while not process.wait(LOOK_SECONDS):
        pass


def rows(folder, steps, baseline):
    """What came out: a dict for each row of the table, with its "values", "mean", "interval", "margin", ...

    Intervals are Student's t at 95 % over the seeds, None for a single seed; the margin is over the row `baseline`,
    seed by seed.
    """
    values = {}
    for step in (step for step in steps if step.row):
        values.setdefault(step.row, []).append(accuracy(Run(folder / "runs" / step.label)))
    result = []
    for row, found in values.items():
        margin = None
        if row != baseline and len(found) == len(values[baseline]):
            margin = np.subtract(found, values[baseline])
        result.append(
            {
                "row": row,
                "values": found,
                "mean": float(np.mean(found)),
                "interval": interval(found),
                "margin": None if margin is None else float(np.mean(margin)),
                "margin_interval": None if margin is None else interval(margin),
            }
        )
    return result


def interval(values):
    """Student's t interval at 95 % of the mean of a few values; None for one value."""
    from scipy import stats  # slow to import

    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return float(np.mean(values) - half), float(np.mean(values) + half)


HEADINGS = ("training", "accuracy, %", "95 % interval", "margin, points", "95 % interval", "each seed, %")


def cells(row):
    """A row as text, in points of accuracy."""

    def points(value):
        return "" if value is None else f"{100 * value:.1f}"

    def span(bounds):
        return "" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"

    return (
        row["row"],
        points(row["mean"]),
        span(row["interval"]),
        points(row["margin"]),
        span(row["margin_interval"]),
        ", ".join(points(value) for value in row["values"]),
    )


def terminal_table(found):
    """The table for the terminal."""
    table = Table(box=box.SIMPLE)
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number else "left")
    for row in found:
        table.add_row(*cells(row))
    return table


def write(folder, found):
    """Writes study.md and study.csv."""
    lines = [HEADINGS, ["---", *["---:"] * (len(HEADINGS) - 1)], *map(cells, found)]
    Run(folder).write_text("study.md", "".join(f"| {' | '.join(line)} |\n" for line in lines))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["training", "mean", "low", "high", "margin", "margin_low", "margin_high", "values"])
    for row in found:
        ends = [*(row["interval"] or ("", "")), row["margin"], *(row["margin_interval"] or ("", ""))]
        writer.writerow([row["row"], row["mean"], *ends, " ".join(map(str, row["values"]))])
    Run(folder).write_text("study.csv", text.getvalue())


def start(path, stored, resume):
    """The study's folder, new or, with `resume`, the one that was started alike; UserError otherwise."""
    folder = Run(path)
    if not resume:
        folder.require_empty("--report")
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_json("study.json", stored)
    elif not (folder.path / "study.json").is_file():
        raise UserError(f"{path} is no study to go on with, since it has no study.json: leave out --resume.")
    elif (before := folder.read_json("study.json")) != stored:
        raise UserError(f"{path} was started with {before}, which --resume cannot change to {stored}.")
    return folder.path
