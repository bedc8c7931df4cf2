"""Scores of the runs of a study on clean and noisy speech, and their tables."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.runs.run import Run
from tfrec.studies import tables
from tfrec.studies.study import Step
from tfrec.studies.tables import Table

REPORT = "noise/noise.json"  # of a run

# {row: {group: [scores of each seed]}}; scores are {name of a set or noise: (accuracy, interval), "minutes": number}.
Scores = dict[str, dict[str, list[dict[str, Any]]]]


def read_scores(folder: pathlib.Path, steps: Sequence[Step]) -> Scores:
    """Reads the noise reports of all steps that are in a row: {row: {group: [scores of each seed]}}."""
    scores: Scores = {}
    for step in steps:
        if step.row:
            of_run = _scores_of_run(Run(folder / "runs" / step.label))
            scores.setdefault(step.row, {}).setdefault(step.group, []).append(of_run)
    return scores


def noise_types(scores: Scores) -> dict[str, str]:
    """Returns {name: name} of the types of noise in the scores."""
    names = next(iter(next(iter(scores.values())).values()))[0]
    return {name: name for name in names if name not in ("clean", "A", "B", "all", "minutes")}


def _scores_of_run(run: Run) -> dict[str, Any]:
    """{"clean", "A", "B", "all" and each type of noise: (accuracy, its interval), "minutes": number} of a run."""
    report, metrics = run.read_json(REPORT), run.read_json("metrics.json")
    measured = {
        "clean": report["clean"],
        **report["averages"],
        **{name: of_noise["average"] for name, of_noise in report["noises"].items()},
    }
    scores = {name: (score["accuracy"], score["interval"]) for name, score in measured.items()}
    return {**scores, "minutes": metrics["fit_seconds"] / 60}


def score_table(
    name: str,
    title: str,
    scores: Scores,
    groups: Sequence[str],
    columns: Mapping[str, str],
    mean: str | None = None,
) -> Table:
    """Builds a table with a line for each row.

    A cell is the mean over the seeds with Student's t interval, or for one seed the accuracy with the interval of its
    noise report.

    Args:
        name: name of the CSV file, without its ending.
        title: title of the table.
        scores: as of `read_scores`.
        groups: groups of columns to show.
        columns: {name of a set or type of noise: heading}.
        mean: name of one more row, the mean over all rows, seed by seed.

    Returns:
        The table.
    """
    shown = [(group, column) for group in groups for column in columns]
    several = len(groups) > 1
    headings = [f"{group}: {columns[column]}" if several else columns[column] for group, column in shown]
    lines, records = [], []
    if mean:
        scores = {**scores, mean: {group: _means([scores[row][group] for row in scores]) for group in groups}}
    for row, of_groups in scores.items():
        cells: list[str] = []
        record: dict[str, Any] = {"training": row}
        for group, column in shown:
            values = [of_seed[column] for of_seed in of_groups[group]]
            average = float(np.mean([value for value, _ in values]))
            bounds = tables.t_interval([value for value, _ in values]) or values[0][1]
            text = tables.percent(average)
            cells.append(f"{text} ({tables.percent_range(bounds)})" if bounds else text)
            low, high = bounds or ("", "")
            record |= {f"{group} {column}": average, f"{group} {column} low": low, f"{group} {column} high": high}
        minutes = float(np.mean([of_seed["minutes"] for group in groups for of_seed in of_groups[group]]))
        lines.append((row, *cells, f"{minutes:.1f}"))
        records.append({**record, "minutes": minutes, "seeds": len(of_groups[groups[0]])})
    return Table(name, title, ("training", *headings, "minutes each"), lines, records)


def _means(rows: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The mean scores of several rows for each seed; their intervals are unknown."""
    result = []
    for of_seed in zip(*rows, strict=True):
        names = [name for name in of_seed[0] if name != "minutes"]
        means = {name: (float(np.mean([row[name][0] for row in of_seed])), None) for name in names}
        result.append({**means, "minutes": float(np.mean([row["minutes"] for row in of_seed]))})
    return result
