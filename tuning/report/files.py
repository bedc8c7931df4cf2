"""The files of the report on a sweep.

report.html       the winner and the default, plots, all trials; needs no other file
trials.csv        one line per trial, the default first
importance.csv    the importance of the parameters
*.png             the plots, where there is something to show
"""

from collections.abc import Iterable
from typing import Any

from tfrec.reports.alignments import printable
from tfrec.reports.plots import save
from tfrec.runs.run import Run
from tfrec.utils import csv_text
from tfrec.utils.files import atomic_write
from tuning.report import page, plots
from tuning.report.front import front
from tuning.report.importance import Importances, importances
from tuning.report.page import Description
from tuning.report.parallel_coordinates import parallel_coordinates
from tuning.report.results import Results
from tuning.report.values import finite_number, format_value
from tuning.search_space.parameters import merge_by_name


def write(folder: Run, results: Results, description: Description) -> None:
    """Writes all files into the folder of a sweep, and deletes plots of an earlier report that are empty now."""
    importance = importances(results)
    draw = {
        "progress.png": lambda: plots.progress(results),
        "parallel.png": lambda: parallel_coordinates(results, importance),
        "importance.png": lambda: plots.importance(importance),
        "front.png": lambda: front(results),
        "curves.png": lambda: plots.curves(results),
    }
    images = []
    for name, draw_plot in draw.items():
        if (plot := draw_plot()) is None:
            (folder.path / name).unlink(missing_ok=True)
            continue
        figure, caption = plot
        with atomic_write(folder.path / name) as temporary:
            save(figure, temporary)
        images.append((caption[0].upper() + caption[1:], (folder.path / name).read_bytes()))
    folder.write_text("trials.csv", _trials_csv(results))
    folder.write_text("importance.csv", _importance_csv(importance))
    folder.write_text("report.html", page.render(results, description, importance, images))


def _trials_csv(results: Results) -> str:
    trials, names = results.with_default, [parameter.name for parameter in merge_by_name(results.parameters)]
    scores = [objective.name for objective in results.objectives]
    scores = list(dict.fromkeys(scores + [name for trial in trials for name in trial.scores]))
    lines: list[list[Any]] = [["label", "status", *names, *scores, "seconds", "epochs", "reason"]]
    for trial in trials:
        values = [*map(trial.values.get, names), *(finite_number(trial.scores.get(name)) for name in scores)]
        lines.append([trial.label, trial.status, *values, trial.seconds, len(trial.history) or None, trial.reason])
    return _csv(lines)


def _importance_csv(importance: Importances) -> str:
    rows = ([row.name, row.share, row.spread] for row in importance.rows)
    return _csv([["parameter", "importance", "spread"], *rows])


def _csv(lines: Iterable[Iterable[Any]]) -> str:
    return csv_text.dumps([_cell(value) for value in line] for line in lines)


def _cell(value: Any) -> Any:
    """A number as it is, anything else as a text on one line."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return printable(format_value(value))
