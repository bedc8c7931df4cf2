"""The errors of detection against each other, as PNG."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from scipy import stats

from tfrec.reports import plots

TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
LOWEST = 0.0005  # of an axis, whose scale has no 0


def draw(detected: Mapping[str, Any], path: plots.Path) -> None:
    """Plots the curve of Martin et al. 1997, "The DET curve in assessment of detection task performance".

    Args:
        detected: what `detection.score` returns.
        path: PNG file to write.
    """
    figure, axis = plt.subplots(figsize=(5, 4.6), layout="constrained")
    curve = np.clip(np.array(detected["curve"]), LOWEST, 1 - LOWEST)
    axis.plot(*stats.norm.ppf(curve).T, color="C0", label="all thresholds")
    at = np.clip([detected["false_alarm_rate"], detected["miss_rate"]], LOWEST, 1 - LOWEST)
    axis.plot(*stats.norm.ppf(at), "o", color="C1", label=f"threshold {detected['threshold']:.2f}")
    ticks, names = stats.norm.ppf(TICKS), [f"{100 * tick:g} %" for tick in TICKS]
    axis.set_xticks(ticks, names)
    axis.set_yticks(ticks, names)
    limits = stats.norm.ppf([LOWEST * 0.9, 0.5])
    axis.set(xlim=limits, ylim=limits, xlabel="accepted of what is to be rejected", ylabel="rejected of the rest")
    axis.set_title(f"detection: equal error rate {detected['equal_error_rate']:.1%}")
    axis.grid(alpha=0.3)
    axis.legend()
    plots.save(figure, path)
