"""Accuracy or error rates among noises as a heat map and as curves, from what `noise_reporting.measure` returns."""

import numpy as np
from matplotlib import pyplot as plt

from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.reports import comparison_plots, noise_tables, plots

LOWEST, HIGHEST = 0.0, 100.0  # percent; error rates beyond it have the color of the highest


def heat_map(result, path):
    """One row for each type of noise, set by set, and one for each set's mean; one column for each ratio."""
    names, ratios, values, means = _rows(result)
    colors = "viridis" if result["measure"] == "accuracy" else "viridis_r"  # the better, the brighter
    figure, axis = plt.subplots(figsize=(3.2 + 0.9 * len(ratios), 1.8 + 0.5 * len(names)), layout="constrained")
    image = axis.imshow(values, cmap=colors, vmin=LOWEST, vmax=HIGHEST, aspect="auto")
    figure.colorbar(image, ax=axis, label=f"{TITLES[result['measure']]}, %")
    for (row, column), value in np.ndenumerate(values):
        brightness = value if colors == "viridis" else HIGHEST - value
        color = "black" if brightness > 65 else "white"
        axis.text(column, row, f"{value:.1f}", ha="center", va="center", color=color, fontsize=9)
    axis.axhline(len(names) - means - 0.5, color="white", linewidth=4)
    axis.set_xticks(range(len(ratios)), ratios)
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel="signal-to-noise ratio, dB", title=_title(result))
    plots.save(figure, path)


def curves(result, path):
    """What is measured over the ratio, a curve with 95 % intervals for each type of noise; set B is dashed."""
    ratios = [float(ratio) for ratio in next(iter(result["noises"].values()))["snr"]]
    figure, axis = plt.subplots(figsize=(8, 4.8), layout="constrained")
    measure, span = result["measure"], max(ratios) - min(ratios) or 1.0
    styles = comparison_plots.styles(len(result["noises"]))
    for i, ((name, found), (color, marker)) in enumerate(zip(result["noises"].items(), styles, strict=True)):
        cells = list(found["snr"].values())
        values = 100 * np.array([cell[measure] for cell in cells])
        low, high = 100 * np.array([cell["interval"] for cell in cells]).T
        # Beside each other, since intervals that lie on each other cannot be read.
        places = np.array(ratios) - span * 0.006 * (i - (len(styles) - 1) / 2)
        axis.errorbar(
            places,
            values,
            yerr=np.maximum([values - low, high - values], 0),
            label=f"{name} (set {found['set']})" if found["set"] else name,
            color=color,
            marker=marker,
            linestyle="--" if found["set"] == "B" else "-",
            capsize=3,
            markersize=5,
        )
    if result["clean"]:
        clean, (low, high) = 100 * result["clean"][measure], 100 * np.array(result["clean"]["interval"])
        axis.axhline(clean, color="gray", linestyle=":", label=f"clean ({clean:.1f} %)")
        axis.axhspan(low, high, color="gray", alpha=0.15, linewidth=0)
    axis.invert_xaxis()  # worse to the right, as in the tables
    axis.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
    told = f"{TITLES[measure]}, %, with 95 % interval"
    axis.set(xlabel="signal-to-noise ratio, dB", ylabel=told, title=_title(result))
    axis.grid(alpha=0.3)
    axis.legend()
    plots.save(figure, path)


def _rows(result):
    """(names of the rows, of the columns, what is measured in percent, how many rows at the end are means)."""
    names, rows = [], []
    for name, found in noise_tables.in_sets(result):
        names.append(f"{name} ({found['set']})" if found["set"] else name)
        rows.append(found["snr"])
    for group, found in result["sets"].items():
        names.append("mean" if group == "all" else f"mean of set {group}")
        rows.append(found["snr"])
    values = np.array([[100 * cell[result["measure"]] for cell in row.values()] for row in rows])
    return names, list(rows[0]), values, len(result["sets"])


def _title(result):
    return f"{result['examples']} clips of the {result['split']} split"
