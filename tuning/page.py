"""The page of a sweep's report, which needs no other file and trusts no name, value or reason."""

import base64
import collections
import dataclasses
import html

from tfrec.reports.pages import printable
from tuning.drawing import shortened
from tuning.importance import distinct, number, spoken
from tuning.objectives import MEASURED, Objective
from tuning.results import STATES

ROWS = 500  # of trials on the page, and
REASON = 300  # characters of why each failed; trials.csv has all
ORDER = ("done", "infeasible", "failed", "running")
STYLE = """
body { font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222; background: #fff }
h1 { line-height: 1.2 } h2 { margin-top: 2em } .lead { font-size: 1.1em; margin: .3em 0 } .quiet { color: #555 }
code { background: #f3f3f3; padding: .1em .3em; overflow-wrap: anywhere }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .88em; font-variant-numeric: tabular-nums }
th, td { padding: .2em .6em; text-align: right; border-bottom: 1px solid #ddd; vertical-align: top }
th { border-bottom: 2px solid #888; vertical-align: bottom } td:first-child, th:first-child { text-align: left }
td.text { text-align: left; min-width: 16em; max-width: 40em; overflow-wrap: anywhere }
tr.best td { background: #e3f1dd } tr.default td { background: #eee } tr.lost td { color: #777 }
tr.differs td { font-weight: bold } figure { margin: 1.5em 0 } img { max-width: 100% } figcaption { color: #555 }
"""
MEANING = (
    "How much of the differences between trials rests on a parameter, by the permutation importance of a random forest."
    " That of a parameter on which others depend holds theirs; where parameters act together, their shares overlap. The"
    " spread is that of the measurement, and does not say what another sweep would find."
)


def text(results, facts, found, pictures):
    """The page; `found` are the Importances, and `pictures` pairs of a caption and the bytes of a PNG file."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>{_safe(facts.title)}</title><style>{STYLE}</style></head><body><h1>{_safe(facts.title)}</h1>",
        *(f'<p class="lead">{_safe(sentence)}</p>' for sentence in facts.sentences),
        _told(results, facts),
        *_winner(results, facts),
        "<h2>Pictures</h2>" if pictures else "",
        *(_figure(caption, data) for caption, data in pictures),
        *_trials(results),
        f"<h2>Importance of the parameters</h2><p>{_safe(found.sentence)}</p>",
    ]
    if found.rows:
        lines = [(row.name, f"{100 * row.share:.1f}", f"{100 * row.spread:.1f}") for row in found.rows]
        parts.append(_table(("parameter", "share of the differences in the score, %", "spread"), lines))
        parts.append(f'<p class="quiet">{MEANING}</p>')
    return "\n".join([part for part in parts if part] + ["</body></html>\n"])


def everything(results):
    """All trials, the default first, even where it is one of the trials."""
    start = [results.default] if results.default else []
    return start + [trial for trial in results.trials if trial is not results.default]


def score_cells(results, trial):
    """The objectives of a trial as texts."""
    return [_score(objective, trial.scores) for objective in results.objectives]


def seconds_cell(trial):
    """How long it took, as text."""
    return "-" if trial.seconds is None else f"{trial.seconds:.0f}"


def _score(objective, scores):
    return objective.shown(number(scores.get(objective.name))) or "-"


def _value(trial, name):
    return shortened(spoken(trial.values[name]), 60) if name in trial.values else "-"


def _told(results, facts):
    states = collections.Counter(trial.status for trial in everything(results) if trial is not results.default)
    ways = {True: "the more the better", False: "the less the better"}
    lines = {
        "Trials": ", ".join(f"{states[state]} {state}" for state in STATES if states[state]) or "none yet",
        "Objective": ", then ".join(f"{one.title} ({ways[one.rises]})" for one in results.objectives),
        "Constraints": ", ".join(map(str, results.constraints)) or "none",
        "Hardware": facts.hardware,
    }
    items = [f"<li>{name}: {_safe(told)}</li>" for name, told in lines.items() if told]
    items += [f"<li>Command: <code>{_safe(facts.command)}</code></li>"] if facts.command else []
    items += [f"<li>{_safe(note)}</li>" for note in facts.notes]
    return f'<ul class="quiet">{"".join(items)}</ul>'


def _winner(results, facts):
    """The best trial beside the default: their scores, of the test split too where known, and their values."""
    best = results.best
    if best is None:
        return ["<h2>Winner</h2><p>No trial has ended well.</p>"]
    both = [(name, trial) for name, trial in (("winner", best), ("default", results.default)) if trial]
    columns = []  # (heading, scores)
    for name, trial in both:
        columns.append((name, trial.scores))
        columns += [(f"{name}, test split", facts.test[trial.label])] if trial.label in facts.test else []
    names = dict.fromkeys(one.name for one in results.objectives)
    names |= dict.fromkeys(name for _, scores in columns for name in scores if number(scores[name]) is not None)
    scores = [_row(Objective(name), columns) for name in names]
    values, marks = [], []
    for parameter in distinct(results.parameters):
        line = [_value(trial, parameter.name) for _, trial in both]
        values.append([parameter.name, *line])
        marks.append("differs" if len(set(line)) > 1 else "")
    return [
        f"<h2>Winner: {_safe(shortened(best.label, 80))}</h2>",
        _table(["score", *(name for name, _ in columns)], scores),
        '<p class="quiet">The validation split alone has chosen it.</p>' if facts.test else "",
        _table(["parameter", *(name for name, _ in both)], values, marks) if values else "",
    ]


def _row(objective, columns):
    """Title and values of a score; the column tells the split where there are two."""
    tested = len(columns) > 1 and any(heading.endswith("split") for heading, _ in columns)
    of_split = objective.name in MEASURED
    title = objective.title.removeprefix("validation ") if tested and of_split else objective.title
    return [title, *(_score(objective, scores) for _, scores in columns)]


def _trials(results):
    """The table of trials, the best first, and those that came to nothing, with why, at its end."""
    ordered = sorted(everything(results), key=lambda trial: (ORDER.index(trial.status), results.rank(trial)))
    shown, names = ordered[:ROWS], [parameter.name for parameter in distinct(results.parameters)]
    front, winner = {trial.label for trial in _front(results)}, results.best
    lines, marks = [], []
    for trial in shown:
        label = f"{shortened(trial.label, 60)}{' *' if trial.label in front else ''}"
        values = [_value(trial, name) for name in names]
        end = [seconds_cell(trial), str(len(trial.history) or "-"), shortened(trial.reason, REASON)]
        lines.append([label, trial.status, *score_cells(results, trial), *values, *end])
        kind = "best" if trial is winner else "" if trial.status == "done" else "lost"
        marks.append("default" if trial is results.default else kind)
    heads = ["trial", "status", *(one.title for one in results.objectives), *names, "seconds", "epochs", "reason"]
    told = f"The first {ROWS} of {len(ordered)}; trials.csv has all. " if len(ordered) > ROWS else ""
    if front:
        told += "* is on the front: no other trial is as good in every objective and better in one."
    note = f'<p class="quiet">{told}</p>' if told else ""
    return ["<h2>Trials</h2>", note, _table(heads, lines, marks, long=1) if lines else "<p>None yet.</p>"]


def _front(results):
    """The front, where there is more than one objective, of the trials that know them all."""
    names = [objective.name for objective in results.objectives]
    known = [one for one in results.done if all(number(one.scores.get(name)) is not None for name in names)]
    return dataclasses.replace(results, trials=tuple(known)).front if len(names) > 1 else []


def _table(heads, lines, marks=None, long=0):
    """Lines of texts; `marks` are their classes, and the last `long` columns hold sentences."""
    rows = []
    for line, mark in zip(lines, marks or [""] * len(lines), strict=True):
        cells = [f"<td>{_safe(cell)}</td>" for cell in line[: len(line) - long]]
        cells += [f'<td class="text">{_safe(cell)}</td>' for cell in line[len(line) - long :]]
        rows.append(f'<tr class="{mark}">{"".join(cells)}</tr>')
    head = "".join(f"<th>{_safe(cell)}</th>" for cell in heads)
    return "\n".join([f'<div class="wide"><table><tr>{head}</tr>', *rows, "</table></div>"])


def _figure(caption, data):
    image = base64.b64encode(data).decode()
    told = _safe(caption)
    return f'<figure><img alt="{told}" src="data:image/png;base64,{image}"><figcaption>{told}</figcaption></figure>'


def _safe(told):
    return html.escape(printable(told))
