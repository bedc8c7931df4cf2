"""Accuracy of pairs in noise and on degraded pictures as tables, of a result of `evaluation.pair_noise`.

pairs.json            everything that `measure_pairs` returns
pairs.csv             one row for each ratio and picture, and for each input alone
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from pipelines.counts import counted
from tfrec.reports.gallery import csv_text
from tfrec.runs.run import Run

NAME = "pairs"

Result = Mapping[str, Any]


def write(folder: pathlib.Path, result: Result) -> None:
    """Writes the tables of a result into a folder, which it creates."""
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    run.write_json(f"{NAME}.json", result)
    run.write_text(f"{NAME}.csv", as_csv(result))


def for_terminal(result: Result) -> Table:
    """Makes the terminal's table.

    Args:
        result: a result of `measure_pairs`.

    Returns:
        A table with a row for each ratio and a column for each picture, both together; each input alone is in the first
        row and the first column.
    """
    pairs = counted(result["examples"], "pair")
    title = f"accuracy of both inputs, %: {pairs} of the {result['split']} split"
    table = Table(title=title, caption=_caption(result), box=box.SIMPLE)
    table.add_column("speech")
    for heading in ("clip alone", *result["image"]):
        table.add_column(heading, justify="right")
    table.add_row("picture alone", "", *(f"{cell['accuracy']:.1%}" for cell in result["image"].values()))
    table.add_section()
    for ratio, cells in result["fused"].items():
        alone = result["audio"][ratio]["accuracy"]
        row = (f"{cell['accuracy']:.1%}" for cell in cells.values())
        table.add_row(ratio if ratio == "clean" else f"{ratio} dB", f"{alone:.1%}", *row)
    return table


def _caption(result: Result) -> str:
    """At the lowest ratio, how both compare where the inputs are about as good."""
    ratio = list(result["fused"])[-1]
    picture = result["matched"][ratio]
    cell = result["fused"][ratio][picture]
    text = f"noises: {', '.join(result['noises'])}"
    if cell["error_ratio"] is None:
        return text
    low, high = cell["error_ratio_interval"]
    interval = f"{low:.2f} to {high:.2f}" if high is not None else f"{low:.2f} or more"
    return (
        f"{text}; at {ratio} dB with {picture} both make {cell['error_ratio']:.2f} times the errors of the"
        f" {cell['best']} alone (95 % interval {interval}), and the trust in the picture is {cell['image_gate']:.2f}"
    )


def as_csv(result: Result) -> str:
    """Makes the CSV table.

    Args:
        result: a result of `measure_pairs`.

    Returns:
        A row for each input alone, and for both at each ratio with each picture.
    """
    extra = ("best", "error_ratio", "image_gate")
    lines: list[list[Any]] = [["inputs", "snr_db", "picture", "accuracy", "low", "high", *extra]]

    def add_line(*names: str, cell: Mapping[str, Any]) -> None:
        lines.append([*names, cell["accuracy"], *cell["interval"], *(cell.get(name) for name in extra)])

    for picture, cell in result["image"].items():
        add_line("image", "", picture, cell=cell)
    for ratio, cell in result["audio"].items():
        add_line("audio", ratio, "", cell=cell)
    for ratio, cells in result["fused"].items():
        for picture, cell in cells.items():
            add_line("both", ratio, picture, cell=cell)
    return csv_text.dumps(lines)
