"""The HTML page of a sweep's report, which needs no other file; no name, value or reason on it is trusted."""

import base64
import collections
import dataclasses
from collections.abc import Iterable, Sequence

from tfrec.reports import pages
from tfrec.reports.alignments import printable
from tuning.objectives import VALIDATION_SCORES, Objective
from tuning.report.drawing import truncate
from tuning.report.importance import Importances
from tuning.report.results import STATUSES, Results, Trial
from tuning.report.values import finite_number, format_value
from tuning.search_space.parameters import merge_by_name

MAX_ROWS = 500  # trials on the page; trials.csv has all
MAX_REASON = 300  # characters
STATUS_ORDER = ("done", "infeasible", "failed", "running")
TESTED = ", test split"  # ends the heading of a column of scores on that split


@dataclasses.dataclass(frozen=True)
class Description:
    """What a report says about a sweep beyond its trials."""

    title: str  # such as "digits: 30 trials by bayesian"
    command: str = ""
    hardware: str = ""
    sentences: tuple[str, ...] = ()  # on the winner and its margin, at the top
    notes: tuple[str, ...] = ()  # on what is missing, such as curves of runs on other machines
    test_scores: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)  # {trial: {score: value}}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table; `style` is its CSS class, and `sentence` a wide last cell."""

    cells: list[str]
    style: str = ""
    sentence: str | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the page."""

    headings: list[str]
    rows: list[Row]


@dataclasses.dataclass(frozen=True)
class Winner:
    """The best trial next to the default: their scores, also on the test split where they are known, and values."""

    label: str
    scores: Table
    values: Table
    is_tested: bool


def render(
    results: Results, description: Description, importances: Importances, plots: Iterable[tuple[str, bytes]]
) -> str:
    """Renders the page.

    Args:
        results: The trials.
        description: What the page says beyond them.
        importances: Of the parameters.
        plots: Pairs of a caption and the bytes of a PNG file.
    """
    note, trials = _trials(results)
    return pages.render(
        "tuning.report",
        "report.html",
        title=printable(description.title),
        sentences=_printable(description.sentences),
        overview=_overview(results, description),
        command=printable(description.command),
        notes=_printable(description.notes),
        winner=_winner(results, description),
        plots=[{"caption": printable(text), "png": base64.b64encode(data).decode()} for text, data in plots],
        trials_note=note,
        trials=trials,
        importance_summary=printable(importances.summary),
        importance=_importance(importances),
    )


def score_cells(results: Results, trial: Trial) -> list[str]:
    """Formats the objectives of a trial."""
    return [_score(objective, trial.scores) for objective in results.objectives]


def seconds_cell(trial: Trial) -> str:
    """Formats the seconds of a trial."""
    return "-" if trial.seconds is None else f"{trial.seconds:.0f}"


def _printable(texts: Iterable[object]) -> list[str]:
    return [printable(text) for text in texts]


def _table(headings: Iterable[object], rows: Iterable[Row]) -> Table:
    """A table of printable texts."""
    return Table(
        _printable(headings),
        [
            Row(_printable(row.cells), row.style, None if row.sentence is None else printable(row.sentence))
            for row in rows
        ],
    )


def _score(objective: Objective, scores: dict[str, float]) -> str:
    return objective.format(finite_number(scores.get(objective.name))) or "-"


def _value(trial: Trial, name: str) -> str:
    return truncate(format_value(trial.values[name]), 60) if name in trial.values else "-"


def _overview(results: Results, description: Description) -> list[tuple[str, str]]:
    """Pairs of a name and a text."""
    counts = collections.Counter(trial.status for trial in results.trials if trial is not results.default)
    directions = {True: "maximized", False: "minimized"}
    objectives = [f"{objective.title} ({directions[objective.maximize]})" for objective in results.objectives]
    pairs = {
        "Trials": ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]) or "none yet",
        "Objective": ", then ".join(objectives),
        "Constraints": ", ".join(map(str, results.constraints)) or "none",
        "Hardware": description.hardware,
    }
    return [(name, printable(text)) for name, text in pairs.items() if text]


def _winner(results: Results, description: Description) -> Winner | None:
    best, tested = results.best, description.test_scores
    if best is None:
        return None
    both = [(name, trial) for name, trial in (("winner", best), ("default", results.default)) if trial]
    columns: list[tuple[str, dict[str, float]]] = []  # (heading, scores)
    for name, trial in both:
        columns.append((name, trial.scores))
        columns += [(f"{name}{TESTED}", tested[trial.label])] if trial.label in tested else []
    names = dict.fromkeys(objective.name for objective in results.objectives)
    names |= dict.fromkeys(name for _, scores in columns for name in scores if finite_number(scores[name]) is not None)
    values = []
    for parameter in merge_by_name(results.parameters):
        cells = [_value(trial, parameter.name) for _, trial in both]
        values.append(Row([parameter.name, *cells], "differs" if len(set(cells)) > 1 else ""))
    return Winner(
        truncate(best.label, 80),
        _table(
            ["score", *(heading for heading, _ in columns)], [_score_row(Objective(name), columns) for name in names]
        ),
        _table(["parameter", *(name for name, _ in both)], values),
        bool(tested),
    )


def _score_row(objective: Objective, columns: Sequence[tuple[str, dict[str, float]]]) -> Row:
    """Title and values of a score; where both splits have columns, the headings name the split instead of the title."""
    has_test = any(heading.endswith(TESTED) for heading, _ in columns)
    of_split = objective.name in VALIDATION_SCORES
    title = objective.title.removeprefix("validation ") if has_test and of_split else objective.title
    return Row([title, *(_score(objective, scores) for _, scores in columns)])


def _trials(results: Results) -> tuple[str, Table]:
    """A note and the table of trials: the best first, the failed ones with their reasons last."""
    ordered = sorted(
        results.with_default, key=lambda trial: (STATUS_ORDER.index(trial.status), results.sort_key(trial))
    )
    names = [parameter.name for parameter in merge_by_name(results.parameters)]
    front, best = {trial.label for trial in _front(results)}, results.best
    rows = []
    for trial in ordered[:MAX_ROWS]:
        label = f"{truncate(trial.label, 60)}{' *' if trial.label in front else ''}"
        values = [_value(trial, name) for name in names]
        end = [seconds_cell(trial), str(len(trial.history) or "-")]
        style = "best" if trial is best else "" if trial.status == "done" else "failed"
        style = "default" if trial is results.default else style
        cells = [label, trial.status, *score_cells(results, trial), *values, *end]
        rows.append(Row(cells, style, truncate(trial.reason, MAX_REASON)))
    titles = [objective.title for objective in results.objectives]
    note = f"The first {MAX_ROWS} of {len(ordered)}; trials.csv has all. " if len(ordered) > MAX_ROWS else ""
    if front:
        note += "* is on the Pareto front: no other trial is as good in every objective and better in one."
    return note, _table(["trial", "status", *titles, *names, "seconds", "epochs", "reason"], rows)


def _front(results: Results) -> list[Trial]:
    """The Pareto front of several objectives, of the trials with finite values of all."""
    names = [objective.name for objective in results.objectives]
    known = [
        trial for trial in results.done if all(finite_number(trial.scores.get(name)) is not None for name in names)
    ]
    return dataclasses.replace(results, trials=tuple(known)).front if len(names) > 1 else []


def _importance(importances: Importances) -> Table:
    rows = [Row([row.name, f"{100 * row.share:.1f}", f"{100 * row.spread:.1f}"]) for row in importances.rows]
    return _table(("parameter", "share of the differences in the score, %", "spread"), rows)
