"""Scores on corrupted pictures as tables, of a result of `evaluation.corruptions.measure`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from pipelines.counts import counted
from tfrec.evaluation.metrics.per_example import COUNTED, TITLES
from tfrec.reports.gallery import csv_text

Result = Mapping[str, Any]
FROST_NOTE = "frost overlays computed textures, not photographs"


def accuracies(result: Result, name: str) -> list[float]:
    """The scores of a corruption at each severity."""
    return [cell[result["measure"]] for cell in result["corruptions"][name]["severity"].values()]


def title(result: Result) -> str:
    """What was measured, in one line."""
    height, width = result["size"]
    return f"{counted(result['examples'], 'picture')} of {height} x {width} pixels, {result['split']} split"


def for_terminal(result: Result) -> Table:
    """Makes the terminal's table.

    Args:
        result: a result of `evaluation.corruptions.measure`.

    Returns:
        A table with a row for each corruption, family and the mean, and a column for each severity and the average.
    """
    table = Table(title=f"{_name(result)}, %: {title(result)}", caption=_caption(result), box=box.SIMPLE)
    table.add_column("family")
    table.add_column("corruption")
    for heading in _headings(result)[2:]:
        table.add_column(heading, justify="right")
    groups = _rows(result)
    for group in groups:
        for row in group:
            table.add_row(*row)
        table.add_section()
    return table


def as_markdown(result: Result) -> str:
    """Makes the Markdown page: the table, and sentences on the mean, the worst and how the pictures were made."""
    headings = _headings(result)
    lines = ["# Corrupted pictures", "", f"{_name(result)}, %: {title(result)}.", ""]
    lines += [f"| {' | '.join(headings)} |", f"| {' | '.join(['---'] * 2 + ['---:'] * (len(headings) - 2))} |"]
    lines += [f"| {' | '.join(row)} |" for group in _rows(result) for row in group]
    return "\n".join([*lines, "", f"{_caption(result)}.", ""])


def as_csv(result: Result) -> str:
    """Makes the CSV table.

    Args:
        result: a result of `evaluation.corruptions.measure`.

    Returns:
        A row for clean pictures, for each corruption at each severity, and for the averages.
    """
    measure = result["measure"]
    lines: list[list[Any]] = [["family", "corruption", "severity", measure, "low", "high", *COUNTED[measure]]]

    def add_line(*names: str, cell: Mapping[str, Any] | None) -> None:
        if cell is not None:
            counted = [cell.get(name) for name in COUNTED[measure]]  # which averages lack
            lines.append([*names, cell[measure], *cell["interval"], *counted])

    add_line("", "", "clean", cell=result["clean"])
    for name, scores in result["corruptions"].items():
        for severity, cell in scores["severity"].items():
            add_line(scores["family"], name, severity, cell=cell)
        add_line(scores["family"], name, "average", cell=scores["average"])
    for family, cell in result["families"].items():
        add_line(family, "", "average", cell=cell)
    add_line("", "", "average", cell=result["mean"])
    for name, cell in result["extra"].items():
        add_line("extra", name, "", cell=cell)
    return csv_text.dumps(lines)


def _headings(result: Result) -> list[str]:
    return ["family", "corruption", *map(str, result["severities"]), "average"]


def _rows(result: Result) -> list[list[list[str]]]:
    """Groups of rows of texts: the clean score, the corruptions, families and mean, other corruptions."""
    measure, blank = result["measure"], [""] * len(result["severities"])
    corruptions = [
        [
            scores["family"],
            name,
            *(f"{100 * value:.1f}" for value in accuracies(result, name)),
            _with_interval(measure, scores["average"]),
        ]
        for name, scores in result["corruptions"].items()
    ]
    families = [[name, "", *blank, _with_interval(measure, cell)] for name, cell in result["families"].items()]
    mean = [["mean", "", *blank, _with_interval(measure, result["mean"])]] if result["mean"] else []
    extra = [["extra", name, *blank, _with_interval(measure, cell)] for name, cell in result["extra"].items()]
    clean = [["clean", "", *blank, _with_interval(measure, result["clean"])]]
    return [group for group in (clean, corruptions, families + mean, extra) if group]


def _with_interval(key: str, cell: Mapping[str, Any], interval: str = "interval") -> str:
    low, high = cell[interval]
    return f"{100 * cell[key]:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _name(result: Result) -> str:
    return TITLES[result["measure"]]


def _caption(result: Result) -> str:
    parts: Sequence[str] = ["intervals at 95 %"]
    if result["mean"]:
        error = _with_interval("corruption_error", result["mean"], "corruption_error_interval")
        worst = result["worst"]
        parts = [
            f"mean corruption error {error} %",
            f"worst: {worst['name']}, {100 * worst[result['measure']]:.1f} %",
            *parts,
            f"parameters of {'ImageNet-C' if result['parameters'] == 'imagenet_c' else 'CIFAR-10-C'}",
        ]
    if "frost" in result["corruptions"]:
        parts = [*parts, FROST_NOTE]
    if result["left_out"]:
        parts = [*parts, f"left out for gray pictures: {', '.join(result['left_out'])}"]
    return "; ".join(parts)
