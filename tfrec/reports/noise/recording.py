"""Scores on changed recordings as files and as a table, of a result of `evaluation.recording.measure`."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.reports.gallery import csv_text
from tfrec.runs.run import Run
from tfrec.utils import short_numbers

NAME = "recording"


def write(run: Run, result: Mapping[str, Any]) -> pathlib.Path:
    """Writes recording.json and recording.csv into a folder of the run; returns the folder."""
    result = json.loads(short_numbers.dumps(result))
    folder = Run(run.free_report(NAME, result))
    folder.path.mkdir(exist_ok=True)
    measure = result["measure"]
    cells = result["conditions"].items()
    lines = [["condition", measure, "low", "high"], *([name, cell[measure], *cell["interval"]] for name, cell in cells)]
    folder.write_json(f"{NAME}.json", result)
    folder.write_text(f"{NAME}.csv", csv_text.dumps(lines))
    return folder.path


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
