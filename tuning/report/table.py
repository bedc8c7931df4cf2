"""The table of the best trials for the terminal."""

import collections

from rich import box
from rich.table import Table
from rich.text import Text

from tuning.report.drawing import truncate
from tuning.report.page import score_cells, seconds_cell
from tuning.report.results import Results
from tuning.report.values import format_value
from tuning.search_space.parameters import merge_by_name

SCORE_WIDTH = 11  # characters of a column, so that a long heading leaves space for the values
MAX_VALUES = 200  # characters


def terminal_table(results: Results, maximum: int = 10) -> Table:
    """Returns a table of at most `maximum` of the best trials, and the default."""
    table, parameters = Table(box=box.SIMPLE), merge_by_name(results.parameters)
    for heading in ("trial", *(objective.title for objective in results.objectives), "values", "seconds"):
        is_text = heading in ("trial", "values")
        width = None if is_text else SCORE_WIDTH
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold", max_width=width)
    fields = {parameter.name: parameter.name.rpartition(".")[2] for parameter in parameters}
    uses = collections.Counter(fields.values())
    short = {name: field if uses[field] == 1 else name for name, field in fields.items()}
    best = [trial for trial in results.ranked if trial is not results.default]
    for part in (best[:maximum], [results.default] if results.default else []):
        for trial in part:
            values = [f"{short[name]}={format_value(trial.values[name])}" for name in short if name in trial.values]
            cells = [trial.label, *score_cells(results, trial), ", ".join(values), seconds_cell(trial)]
            table.add_row(*(Text(truncate(cell, MAX_VALUES)) for cell in cells))
        table.add_section()
    return table
