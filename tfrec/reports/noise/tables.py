"""Scores among noises as tables, of a result of `evaluation.noise.measure`."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from pipelines import paths
from pipelines.counts import counted
from tfrec.evaluation.metrics.per_example import COUNTED, TITLES
from tfrec.reports.gallery import csv_text
from tfrec.reports.reliability.groups import SIGNIFICANT

AVERAGED = "20 to 0"  # dB

Result = Mapping[str, Any]


def for_terminal(result: Result) -> Table:
    """Makes the terminal's table.

    Args:
        result: a result of `evaluation.noise.measure`.

    Returns:
        A table with a row for each noise and each set, and a column for each ratio and the average.
    """
    ratios = list(next(iter(result["noises"].values()))["snr"])
    clips = f"{counted(result['examples'], 'clip')} of the {result['split']} split"
    title = f"{TITLES[result['measure']]} among noises, %: {clips}"
    table, measure = Table(title=title, caption=_caption(result), box=box.SIMPLE), result["measure"]
    for heading in ("set", "noise"):
        table.add_column(heading)
    for heading in [f"{ratio} dB" for ratio in ratios] + ([f"{AVERAGED} dB"] if result["averages"] else []):
        table.add_column(heading, justify="right")
    for name, noise in sorted_by_set(result):
        table.add_row(noise["set"], name, *_cells(measure, noise["snr"], noise["average"]))
    table.add_section()
    for group, scores in result["sets"].items():
        cells = _cells(measure, scores["snr"], result["averages"].get(group))
        table.add_row(group, f"mean of {len(scores['noises'])}", *cells)
    return table


def of_groups(column: str, by_ratio: Mapping[str, Any]) -> Table:
    """Makes the terminal's table of groups.

    Args:
        column: where the groups come from.
        by_ratio: what `evaluation.groups.score_mixes` returned.

    Returns:
        A row for each group, the worst at the lowest ratio first, and a column for each ratio.
    """
    lowest = by_ratio[list(by_ratio)[-1]]
    measure = lowest["measure"]
    table = Table(title=f"{TITLES[measure]} by {column}, %, mean of all noises", box=box.SIMPLE)
    table.caption = "* differs from the other clips: p below 0.05, corrected for the number of groups (Holm)"
    table.add_column(column)
    for ratio in by_ratio:
        table.add_column(ratio if ratio == "clean" else f"{ratio} dB", justify="right")
    rows = {ratio: {row["group"]: row for row in scores["groups"]} for ratio, scores in by_ratio.items()}
    for group in (row["group"] for row in lowest["groups"]):
        cells = [own[group] for own in rows.values()]
        marks = ["*" if cell["p_holm"] < SIGNIFICANT else "" for cell in cells]
        texts = [f"{100 * cell[measure]:.1f}{mark}" for cell, mark in zip(cells, marks, strict=True)]
        table.add_row(paths.shown(group), *texts)
    table.add_section()
    table.add_row("gap", *(f"{100 * scores['gap']:.1f}" for scores in by_ratio.values()))
    return table


def sorted_by_set(result: Result) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns (name, scores) of each noise, set by set."""
    return sorted(result["noises"].items(), key=lambda item: item[1]["set"])


def as_csv(result: Result) -> str:
    """Makes the CSV table.

    Args:
        result: a result of `evaluation.noise.measure`.

    Returns:
        A row for clean speech, for each noise and each set at each ratio, and for their averages over 20 to 0 dB.
    """
    measure = result["measure"]
    lines: list[list[Any]] = [["set", "noise", "snr_db", measure, "low", "high", *COUNTED[measure]]]

    def add_line(*names: str, cell: Mapping[str, Any] | None) -> None:
        if cell is not None:
            counted = [cell.get(name) for name in COUNTED[measure]]  # which averages lack
            lines.append([*names, cell[measure], *cell["interval"], *counted])

    add_line("", "", "clean", cell=result["clean"])
    for name, noise in result["noises"].items():
        for ratio, cell in noise["snr"].items():
            add_line(noise["set"], name, ratio, cell=cell)
        add_line(noise["set"], name, AVERAGED, cell=noise["average"])
    for group, scores in result["sets"].items():
        for ratio, cell in scores["snr"].items():
            add_line(group, "", ratio, cell=cell)
        add_line(group, "", AVERAGED, cell=result["averages"].get(group))
    return csv_text.dumps(lines)


def _cells(measure: str, row: Mapping[str, Any], average: Mapping[str, Any] | None) -> list[str]:
    texts = [f"{100 * cell[measure]:.1f}" for cell in row.values()]
    return texts + ([_with_interval(measure, average)] if average else [])


def _with_interval(measure: str, cell: Mapping[str, Any]) -> str:
    low, high = cell["interval"]
    return f"{100 * cell[measure]:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _caption(result: Result) -> str:
    silent = f"; silent and left out: {', '.join(result['silent'])}" if result.get("silent") else ""
    clean = f"clean {_with_interval(result['measure'], result['clean'])}; " if result["clean"] else ""
    if "calibration" in result:
        low, high = result["calibration"]["ece_interval"]
        clean += f"calibration error in noise {result['calibration']['ece']:.2%} ({low:.2%} to {high:.2%}); "
    if result["noise"] is None:
        return f"{clean}intervals at 95 %; noises of the corpus{silent}"
    return f"{clean}intervals at 95 %; set A: noises of training, other parts of the files; set B: other noises{silent}"
