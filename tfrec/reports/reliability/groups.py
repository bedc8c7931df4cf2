"""Scores by group in the terminal, as pictures and as a page.

groups_COLUMN.png     the score of each group with its interval
groups.html           all tables and pictures; it needs no other file
"""

import base64
import io
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from matplotlib import pyplot as plt
from rich.table import Table

from pipelines import paths
from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.reports import fonts, pages, plots

SHOWN = 20  # groups in the terminal, and twice as many in a picture: the worst ones
SIGNIFICANT = 0.05  # corrected p-values below it are marked
PAGE = "groups.html"


def table(column: str, scores: Mapping[str, Any]) -> Table:
    """Makes a table of groups, the worst first.

    Args:
        column: where the groups come from.
        scores: what `evaluation.groups.score` returned.

    Returns:
        The table, with the gap in its caption.
    """
    result = Table(title=f"{title_of(scores)} by {paths.shown(column)}", caption=summary(scores))
    result.add_column(column)
    for name in HEADINGS[1:]:
        result.add_column(name, justify="right")
    for row in scores["groups"][:SHOWN]:
        result.add_row(*cells(scores["measure"], row))
    return result


HEADINGS = ("group", "score", "95 % interval", "examples", "difference to the others", "p", "p, corrected")


def title_of(scores: Mapping[str, Any]) -> str:
    """What is measured, in words."""
    return TITLES.get(scores["measure"], scores["measure"])


def summary(scores: Mapping[str, Any]) -> str:
    """The worst group, the gap and the groups that differ, in words."""
    (low, high), measure = scores["gap_interval"], scores["measure"]
    different = [row["group"] for row in scores["groups"] if row["p_holm"] < SIGNIFICANT]
    text = (
        f"All examples: {_shown(measure, scores['overall'])}. From the worst group, {paths.shown(scores['worst'])},"
        f" to the best, {paths.shown(scores['best'])}, the gap is {_shown(measure, scores['gap'])} (95 % interval"
        f" {_shown(measure, low)} to {_shown(measure, high)})."
    )
    if not different:
        return f"{text} No group differs from the others by more than chance allows (corrected p below {SIGNIFICANT})."
    names = ", ".join(map(paths.shown, different[:SHOWN]))
    return f"{text} Different from the others (corrected p below {SIGNIFICANT}): {names}."


def cells(measure: str, row: Mapping[str, Any]) -> list[str]:
    """A group's row of the table, in the order of `HEADINGS`."""
    low, high = row["interval"]
    return [
        paths.shown(row["group"]),
        _shown(measure, row[measure]),
        f"{_shown(measure, low)} to {_shown(measure, high)}",
        f"{row['examples']:,}",
        _shown(measure, row["difference"], "+"),
        f"{row['p']:.3f}",
        f"{row['p_holm']:.3f}" + (" *" if row["p_holm"] < SIGNIFICANT else ""),
    ]


def write(by_column: Mapping[str, Mapping[str, Any]], folder: pathlib.Path) -> None:
    """Writes the pictures and the page.

    Args:
        by_column: {column: what `evaluation.groups.score` returned}.
        folder: where they are written.
    """
    parts = []
    for column, scores in by_column.items():
        contents = io.BytesIO()
        _draw(column, scores, contents)
        name = re.sub(r"[^\w.-]+", "_", column)
        (folder / f"groups_{name}.png").write_bytes(contents.getvalue())
        parts.append(
            {
                "title": f"{title_of(scores)} by {column}",
                "summary": summary(scores),
                "rows": [cells(scores["measure"], row) for row in scores["groups"]],
                "picture": base64.b64encode(contents.getvalue()).decode(),
            }
        )
    page = pages.render("tfrec.reports", "groups.html.j2", headings=HEADINGS, parts=parts)
    (folder / PAGE).write_text(page, encoding="utf-8")


def _draw(column: str, scores: Mapping[str, Any], file: io.BytesIO) -> None:
    measure, rows = scores["measure"], scores["groups"][: 2 * SHOWN][::-1]
    factor = 100 if _is_fraction(measure) else 1
    figure, axis = plt.subplots(figsize=(7, 1.4 + 0.3 * len(rows)), layout="constrained")
    values = [factor * row[measure] for row in rows]
    lows = [max(value - factor * row["interval"][0], 0) for value, row in zip(values, rows, strict=True)]
    highs = [max(factor * row["interval"][1] - value, 0) for value, row in zip(values, rows, strict=True)]
    axis.errorbar(values, range(len(rows)), xerr=[lows, highs], fmt="o", capsize=3, color="C0")
    axis.axvline(factor * scores["overall"], color="gray", linestyle="--", linewidth=1, label="all examples")
    axis.set_yticks(range(len(rows)), fonts.labels([row["group"] for row in rows]))
    unit = ", %" if factor == 100 else ""
    axis.set(xlabel=f"{title_of(scores)}{unit}, with 95 % interval", ylabel=fonts.label(column))
    axis.grid(alpha=0.3)
    axis.legend()
    plots.save(figure, file)


def _is_fraction(measure: str) -> bool:
    return measure not in ("loss", "mae", "rmse")


def _shown(measure: str, value: float, sign: str = "") -> str:
    return format(value, f"{sign}.2%") if _is_fraction(measure) else format(value, f"{sign}.4g")
