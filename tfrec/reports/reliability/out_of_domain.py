"""Scores of examples of the classes and of others, in the terminal and as histograms."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from rich.table import Table

from tfrec.reports import plots

NAME = "out_of_domain.png"
BINS = 40
COVERED = (0.005, 0.995)  # quantiles of the scores within the axis


def table(scores: Mapping[str, Any], title: str) -> Table:
    """Makes a table.

    Args:
        scores: What `evaluation.out_of_domain.measure` returned as scores.
        title: Of the table.

    Returns:
        A row for each score, the best first.
    """
    caption = (
        f"{scores['examples']:,} examples of the classes, {scores['other_examples']:,} others; accepted others where"
        " 95 % of the examples of the classes are accepted"
    )
    result = Table(title=title, caption=caption)
    result.add_column("score")
    for column in ("AUROC", "95 % interval", "accepted others", "95 % interval"):
        result.add_column(column, justify="right")
    rows = {name: each for name, each in scores.items() if isinstance(each, dict)}
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["auroc"]):
        intervals = [f"{low:.1%} to {high:.1%}" for low, high in (row["auroc_interval"], row["fpr_interval"])]
        cells = (f"{row['auroc']:.2%}", intervals[0], f"{row['fpr_at_95_tpr']:.2%}", intervals[1])
        result.add_row(name.replace("_", " "), *cells)
    return result


def write(values: Mapping[str, tuple[np.ndarray, np.ndarray]], scores: Mapping[str, Any], folder: pathlib.Path) -> None:
    """Draws a histogram of each score, with the threshold that accepts 95 % of the examples of the classes.

    Args:
        values: {score: (of examples of the classes, of others)}.
        scores: As for `table`.
        folder: Where `NAME` is written; it is made where it is missing.
    """
    folder.mkdir(exist_ok=True)
    figure, axes = plt.subplots(1, len(values), figsize=(4.5 * len(values), 3.6), layout="constrained", squeeze=False)
    for axis, (name, pair) in zip(axes[0], values.items(), strict=True):
        low, high = np.quantile(np.concatenate(pair), COVERED)
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        for each, label, color in zip(pair, ("of the classes", "others"), ("C0", "C1"), strict=True):
            weights = np.full(len(each), 1 / len(each))
            axis.hist(np.clip(each, edges[0], edges[-1]), edges, weights=weights, alpha=0.6, label=label, color=color)
        axis.axvline(scores[name]["threshold"], color="gray", linestyle="--", linewidth=1)
        axis.set(xlabel=name.replace("_", " "), title=f"AUROC {scores[name]['auroc']:.2%}")
        axis.legend()
    axes[0, 0].set(ylabel="share of the examples")
    plots.save(figure, folder / NAME)
