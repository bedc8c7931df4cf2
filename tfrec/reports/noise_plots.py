"""Scores among noises as a heat map and as curves, of a result of `evaluation.noise.measure`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from pipelines.counts import counted
from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.reports import fonts, noise_tables, plots


def heat_map(result: Mapping[str, Any], path: plots.Path) -> None:
    """Plots a row for each type of noise, set by set, and for each set's mean; a column for each ratio.

    Args:
        result: a result of `evaluation.noise.measure`.
        path: PNG file to write.
    """
    names, ratios, values, means = _rows(result)
    plots.heat_map(
        values,
        names,
        ratios,
        path,
        label=TITLES[result["measure"]],
        xlabel="signal-to-noise ratio, dB",
        title=_title(result),
        means=means,
        is_high_better=result["measure"] == "accuracy",
    )


def curves(result: Mapping[str, Any], path: plots.Path) -> None:
    """Plots the score over the ratio, a curve with 95 % intervals for each type of noise; set B is dashed.

    Args:
        result: a result of `evaluation.noise.measure`.
        path: PNG file to write.
    """
    ratios = [float(ratio) for ratio in next(iter(result["noises"].values()))["snr"]]
    figure, axis = plt.subplots(figsize=(8, 4.8), layout="constrained")
    span = max(ratios) - min(ratios) or 1.0
    styles = plots.styles(len(result["noises"]))
    for i, ((name, noise), style) in enumerate(zip(result["noises"].items(), styles, strict=True)):
        # Shifted, since intervals on top of each other are not legible.
        places = np.array(ratios) - span * 0.006 * (i - (len(styles) - 1) / 2)
        _curve(axis, places, name, noise, result["measure"], style)
    if result["clean"]:
        _clean_line(axis, result)
    axis.invert_xaxis()  # worse to the right, as in the tables
    axis.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
    label = f"{TITLES[result['measure']]}, %, with 95 % interval"
    axis.set(xlabel="signal-to-noise ratio, dB", ylabel=label, title=_title(result))
    axis.grid(alpha=0.3)
    axis.legend()
    plots.save(figure, path)


def _curve(
    axis: plots.Axis, places: np.ndarray, name: str, noise: Mapping[str, Any], measure: str, style: plots.Style
) -> None:
    """One type of noise."""
    cells = list(noise["snr"].values())
    values = 100 * np.array([cell[measure] for cell in cells])
    low, high = 100 * np.array([cell["interval"] for cell in cells]).T
    color, marker = style
    axis.errorbar(
        places,
        values,
        yerr=np.maximum([values - low, high - values], 0),
        label=fonts.label(f"{name} (set {noise['set']})" if noise["set"] else name),
        color=color,
        marker=marker,
        linestyle="--" if noise["set"] == "B" else "-",
        capsize=3,
        markersize=5,
    )


def _clean_line(axis: plots.Axis, result: Mapping[str, Any]) -> None:
    clean, (low, high) = 100 * result["clean"][result["measure"]], 100 * np.array(result["clean"]["interval"])
    axis.axhline(clean, color="gray", linestyle=":", label=f"clean ({clean:.1f} %)")
    axis.axhspan(low, high, color="gray", alpha=0.15, linewidth=0)


def _rows(result: Mapping[str, Any]) -> tuple[list[str], list[str], np.ndarray, int]:
    """Names of the rows and of the columns, values in percent, and how many rows at the end are means."""
    names, rows = [], []
    for name, noise in noise_tables.sorted_by_set(result):
        names.append(f"{name} ({noise['set']})" if noise["set"] else name)
        rows.append(noise["snr"])
    for group, scores in result["sets"].items():
        names.append("mean" if group == "all" else f"mean of set {group}")
        rows.append(scores["snr"])
    values = np.array([[100 * cell[result["measure"]] for cell in row.values()] for row in rows])
    return names, list(rows[0]), values, len(result["sets"])


def _title(result: Mapping[str, Any]) -> str:
    return f"{counted(result['examples'], 'clip')} of the {result['split']} split"
