"""The files of a corruption report.

corruptions.json      everything that `evaluation.corruptions.measure` returns
corruptions.csv       one row for each corruption and severity, then the averages
corruptions.md        the same as a table of accuracies
heat_map.png          accuracy of each corruption at each severity
curves.png            accuracy over the severity, a curve for each family
examples.png          a picture with each corruption at each severity
extra_examples.png    pictures with the corruptions that are not among the 15
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.evaluation.corruptions import registry
from tfrec.evaluation.corruptions.base import apply
from tfrec.reports import grid
from tfrec.reports.corruptions import plots, tables
from tfrec.runs.run import Run

SHOWN_PICTURES = 4  # of extra_examples.png


def write(folder: pathlib.Path, result: Mapping[str, Any], images: Sequence[np.ndarray]) -> None:
    """Writes the tables and plots of a result of `evaluation.corruptions.measure` into a folder, which it creates.

    Args:
        folder: the folder.
        result: the result.
        images: uint8 pictures (height, width, channels) for the examples, at least one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    run.write_json("corruptions.json", result)
    run.write_text("corruptions.csv", tables.as_csv(result))
    run.write_text("corruptions.md", tables.as_markdown(result))
    if result["corruptions"]:
        plots.heat_map(result, folder / "heat_map.png")
        plots.curves(result, folder / "curves.png")
        _draw(result, list(result["corruptions"]), images[0], folder / "examples.png")
    if result["extra"]:
        _draw_extra(result, list(result["extra"]), images[:SHOWN_PICTURES], folder / "extra_examples.png")


def _draw(result: Mapping[str, Any], names: Sequence[str], image: np.ndarray, path: pathlib.Path) -> None:
    """A row for each corruption: the picture, and each severity."""
    columns = [[image] * len(names)]
    for severity in result["severities"]:
        columns.append([_corrupt(result, name, image, severity, 0) for name in names])
    notes = [["clean"] * len(names), *([f"severity {severity}"] * len(names) for severity in result["severities"])]
    grid.images(np.array(columns) / 255, names, notes, "corruptions", path)


def _draw_extra(
    result: Mapping[str, Any], names: Sequence[str], images: Sequence[np.ndarray], path: pathlib.Path
) -> None:
    """A row for each picture: as it is, and with each corruption."""
    columns = [list(images)]
    for name in names:
        columns.append([_corrupt(result, name, image, 1, number) for number, image in enumerate(images)])
    notes = [[name.replace("_", " ")] * len(images) for name in ("clean", *names)]
    grid.images(np.array(columns) / 255, [""] * len(images), notes, "other changes of pictures", path)


def _corrupt(result: Mapping[str, Any], name: str, image: np.ndarray, severity: int, number: int) -> np.ndarray:
    return apply(name, registry.CORRUPTIONS[name], image, severity, (result["seed"], number))
