"""Accuracy or error rates among noises as tables, from what `noise_reporting.measure` returns."""

import csv
import io

from rich import box
from rich.table import Table

from tfrec.evaluation.metrics.per_example import COUNTED, TITLES

AVERAGED = "20 to 0"  # dB


def for_terminal(result):
    """The table for the terminal: a row for each noise and each set, a column for each ratio and the average."""
    ratios = list(next(iter(result["noises"].values()))["snr"])
    title = f"{TITLES[result['measure']]} among noises, %: {result['examples']} clips of the {result['split']} split"
    table, measure = Table(title=title, caption=_caption(result), box=box.SIMPLE), result["measure"]
    for heading in ("set", "noise"):
        table.add_column(heading)
    for heading in [f"{ratio} dB" for ratio in ratios] + ([f"{AVERAGED} dB"] if result["averages"] else []):
        table.add_column(heading, justify="right")
    for name, found in in_sets(result):
        table.add_row(found["set"], name, *_cells(measure, found["snr"], found["average"]))
    table.add_section()
    for group, found in result["sets"].items():
        cells = _cells(measure, found["snr"], result["averages"].get(group))
        table.add_row(group, f"mean of {len(found['noises'])}", *cells)
    return table


def in_sets(result):
    """(name, what was found) of each noise, set by set."""
    return sorted(result["noises"].items(), key=lambda item: item[1]["set"])


def as_csv(result):
    """A row for clean speech, for each noise and each set at each ratio, and for their averages over 20 to 0 dB."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measure = result["measure"]
    writer.writerow(["set", "noise", "snr_db", measure, "low", "high", *COUNTED[measure]])

    def row(*names, cell):
        if cell is not None:
            counted = [cell.get(name) for name in COUNTED[measure]]  # which averages lack
            writer.writerow([*names, cell[measure], *cell["interval"], *counted])

    row("", "", "clean", cell=result["clean"])
    for name, found in result["noises"].items():
        for ratio, cell in found["snr"].items():
            row(found["set"], name, ratio, cell=cell)
        row(found["set"], name, AVERAGED, cell=found["average"])
    for group, found in result["sets"].items():
        for ratio, cell in found["snr"].items():
            row(group, "", ratio, cell=cell)
        row(group, "", AVERAGED, cell=result["averages"].get(group))
    return text.getvalue()


def _cells(measure, row, average):
    texts = [f"{100 * cell[measure]:.1f}" for cell in row.values()]
    return texts + ([_with_interval(measure, average)] if average else [])


def _with_interval(measure, cell):
    low, high = cell["interval"]
    return f"{100 * cell[measure]:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _caption(result):
    clean = f"clean {_with_interval(result['measure'], result['clean'])}; " if result["clean"] else ""
    if result["noise"] is None:
        return f"{clean}intervals at 95 %; noises as the corpus has them"
    return f"{clean}intervals at 95 %; set A: noises seen, from parts of the files that were not; set B: the others"
