"""Scores on changed recordings as files and as a table, of a result of `evaluation.recording.measure`."""

import csv
import io
import pathlib
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.runs.run import Run

NAME = "recording"


def write(run: Run, result: Mapping[str, Any]) -> list[pathlib.Path]:
    """Writes recording.json and recording.csv into a run; returns their paths."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measure = result["measure"]
    writer.writerow(["condition", measure, "low", "high"])
    for name, cell in result["conditions"].items():
        writer.writerow([name, cell[measure], *cell["interval"]])
    run.write_json(f"{NAME}.json", result)
    run.write_text(f"{NAME}.csv", text.getvalue())
    return [run.path / f"{NAME}.json", run.path / f"{NAME}.csv"]


def table(result: Mapping[str, Any]) -> Table:
    """Makes the terminal's table: a row for each condition."""
    measure = result["measure"]
    title = f"{TITLES[measure]} on changed recordings, %: {result['examples']} clips"
    rows = Table("condition", title=title, caption="intervals at 95 %", box=box.SIMPLE)
    rows.add_column(measure, justify="right")
    for name, cell in result["conditions"].items():
        low, high = cell["interval"]
        rows.add_row(name, f"{100 * cell[measure]:.1f} ({100 * low:.1f} to {100 * high:.1f})")
    return rows
