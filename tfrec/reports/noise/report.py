"""The files of a noise report.

noise.json            everything that `evaluation.noise.measure` returns
noise.csv             one row for each noise and ratio, then the averages
heat_map.png, curves.png; of classes also confusion.png, confusion_0_dB.png, reliability.png
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfrec.reports import plots
from tfrec.reports.noise import plots as noise_plots
from tfrec.reports.noise import tables
from tfrec.runs.run import Run


def write(folder: pathlib.Path, result: Mapping[str, Any]) -> None:
    """Writes the tables and plots of a result of `evaluation.noise` into a folder, which it creates."""
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    run.write_json("noise.json", result)
    run.write_text("noise.csv", tables.as_csv(result))
    noise_plots.heat_map(result, folder / "heat_map.png")
    noise_plots.curves(result, folder / "curves.png")
    if "calibration" in result:
        plots.reliability(result["calibration"], folder / "reliability.png")
    for key, name in (("noisy", "confusion.png"), ("0", "confusion_0_dB.png")):
        if key in result["confusion"]:
            plots.confusion(result["confusion"][key], result["classes"], folder / name)
