"""Prediction sets in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from pipelines import paths

SHOWN = 20  # classes, those with the lowest coverage where there are more


def table(scores: Mapping[str, Any]) -> Table:
    """Makes a table of prediction sets.

    Args:
        scores: what `metrics.conformal.score` returned.

    Returns:
        Coverage and mean size for each class and for all examples.
    """
    low, high = scores["expected_interval"]
    caption = (
        f"Sets for a coverage of {scores['level']:.1%}, fitted on {scores['fit_examples']:,} examples of the validation"
        f" split: the coverage of all should be {low:.2%} to {high:.2%} in 99 % of the cases, or higher where the"
        " accuracy is."
    )
    result = Table(title="prediction sets", caption=caption)
    result.add_column("class")
    for column in ("coverage", "99 % interval", "mean size", "examples"):
        result.add_column(column, justify="right")
    rows = scores["classes"]
    if len(rows) > SHOWN:
        rows = sorted(rows, key=lambda row: row["coverage"])[:SHOWN]
    for row in rows:
        result.add_row(paths.shown(row["label"]), *_cells(row))
    result.add_section()
    result.add_row("all", *_cells({**scores, "examples": sum(row["examples"] for row in scores["classes"])}))
    return result


def _cells(row: Mapping[str, Any]) -> list[str]:
    low, high = row["coverage_interval"]
    return [f"{row['coverage']:.2%}", f"{low:.1%} to {high:.1%}", f"{row['mean_size']:.2f}", f"{row['examples']:,}"]
