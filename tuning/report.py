"""The report on a sweep.

report.html       the winner beside the default, pictures, all trials; needs no other file
trials.csv        one line a trial, the default first
importance.csv    what the parameters matter
*.png             the pictures, where there is something to see
"""

import collections
import csv
import dataclasses
import io

from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.reports.pages import printable
from tfrec.reports.plots import save
from tfrec.utils.files import replacing
from tuning import page, plots
from tuning.drawing import shortened
from tuning.importance import distinct, importances, number, spoken
from tuning.page import everything, score_cells, seconds_cell
from tuning.parallel import parallel

NARROW, VALUES = 11, 200  # characters of a score and of a trial's values, in the terminal
FORMULA = ("=", "+", "-", "@")  # what begins with them is one for spreadsheets


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a report tells beside the trials."""

    title: str  # such as "digits: 30 trials by bayesian"
    command: str = ""
    hardware: str = ""
    sentences: tuple[str, ...] = ()  # on the winner and its margin, to stand at the top
    notes: tuple[str, ...] = ()  # on what is missing, such as curves of other machines
    test: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)  # {trial: {score: of its test split}}


def write(folder, results, facts):
    """Writes all files into a sweep's folder, a Run; pictures of a report before that show nothing any more go."""
    found = importances(results)
    draw = {
        "progress.png": lambda: plots.progress(results),
        "parallel.png": lambda: parallel(results, found),
        "importance.png": lambda: plots.importance(found),
        "front.png": lambda: plots.front(results),
        "curves.png": lambda: plots.curves(results),
    }
    pictures = []
    for name, make in draw.items():
        if (made := make()) is None:
            (folder.path / name).unlink(missing_ok=True)
            continue
        figure, caption = made
        with replacing(folder.path / name) as temporary:
            save(figure, temporary)
        pictures.append((caption[0].upper() + caption[1:], (folder.path / name).read_bytes()))
    folder.write_text("trials.csv", _trials_csv(results))
    folder.write_text("importance.csv", _importance_csv(found))
    folder.write_text("report.html", page.text(results, facts, found, pictures))


def terminal_table(results, count=10):
    """The best trials, and the default, as a Table for the terminal."""
    table, parameters = Table(box=box.SIMPLE), distinct(results.parameters)
    for heading in ("trial", *(objective.title for objective in results.objectives), "values", "seconds"):
        words = heading in ("trial", "values")
        most = None if words else NARROW  # so that a long heading leaves room for the values
        table.add_column(heading, justify="left" if words else "right", overflow="fold", max_width=most)
    fields = collections.Counter(parameter.name.rpartition(".")[2] for parameter in parameters)
    short = {one.name: field if fields[field := one.name.rpartition(".")[2]] == 1 else one.name for one in parameters}
    best = [trial for trial in results.ranked if trial is not results.default]
    for part in (best[:count], [results.default] if results.default else []):
        for trial in part:
            values = [f"{short[name]}={spoken(trial.values[name])}" for name in short if name in trial.values]
            cells = [trial.label, *score_cells(results, trial), ", ".join(values), seconds_cell(trial)]
            table.add_row(*(Text(shortened(cell, VALUES)) for cell in cells))
        table.add_section()
    return table


def _trials_csv(results):
    trials, names = everything(results), [parameter.name for parameter in distinct(results.parameters)]
    scores = [objective.name for objective in results.objectives]
    scores = list(dict.fromkeys(scores + [name for trial in trials for name in trial.scores]))
    lines = [["label", "status", *names, *scores, "seconds", "epochs", "reason"]]
    for trial in trials:
        values = [*map(trial.values.get, names), *(number(trial.scores.get(name)) for name in scores)]
        lines.append([trial.label, trial.status, *values, trial.seconds, len(trial.history) or None, trial.reason])
    return _csv(lines)


def _importance_csv(found):
    return _csv([["parameter", "importance", "spread"], *((row.name, row.share, row.spread) for row in found.rows)])


def _csv(lines):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value):
    """A value for a CSV file: texts stay texts in spreadsheets too."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    text = printable(spoken(value))
    return f"'{text}" if text.startswith(FORMULA) and number(text) is None else text
