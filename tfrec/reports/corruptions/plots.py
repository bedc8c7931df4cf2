"""Scores on corrupted pictures as a heat map and as curves, of a result of `evaluation.corruptions.measure`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.reports import plots
from tfrec.reports.corruptions import tables


def heat_map(result: Mapping[str, Any], path: plots.Path) -> None:
    """Plots a row for each corruption and one for their mean, a column for each severity.

    Args:
        result: a result of `evaluation.corruptions.measure`.
        path: PNG file to write.
    """
    rows = np.array([tables.accuracies(result, name) for name in result["corruptions"]])
    plots.heat_map(
        100 * np.vstack([rows, rows.mean(axis=0)]),
        [*result["corruptions"], "mean"],
        [str(severity) for severity in result["severities"]],
        path,
        label=TITLES[result["measure"]],
        xlabel="severity",
        title=tables.title(result),
        means=1,
    )


def curves(result: Mapping[str, Any], path: plots.Path) -> None:
    """Plots the score over the severity, a curve for the mean of each family, and lines for clean pictures.

    Args:
        result: a result of `evaluation.corruptions.measure`.
        path: PNG file to write.
    """
    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    severities = result["severities"]
    for family, (color, marker) in zip(result["families"], plots.styles(len(result["families"])), strict=True):
        names = [name for name, scores in result["corruptions"].items() if scores["family"] == family]
        values = np.mean([tables.accuracies(result, name) for name in names], axis=0)
        axis.plot(severities, 100 * values, color=color, marker=marker, label=f"{family} ({len(names)})")
    measure, clean = result["measure"], result["clean"]
    axis.axhline(100 * clean[measure], color="gray", linestyle=":", label=f"clean ({100 * clean[measure]:.1f} %)")
    axis.axhspan(*(100 * np.array(clean["interval"])), color="gray", alpha=0.15, linewidth=0)
    axis.set(xlabel="severity", ylabel=f"{TITLES[measure]}, %", title=tables.title(result))
    axis.set_xticks(severities)
    axis.grid(alpha=0.3)
    axis.legend()
    plots.save(figure, path)
