"""Check the data of a training before it starts: `tfrec check [EXPERIMENT | DATA] [FLAGS]`."""

import dataclasses
import pathlib
from collections.abc import Sequence

import rich.box
from rich.table import Table
from rich.text import Text

from pipelines import paths
from pipelines.counts import counted
from pipelines.datasets.base import Corpus
from tfrec import tasks
from tfrec.config import flags
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.labels import report
from tfrec.pretrained import pretrained_weights
from tfrec.recognizer import Recognizer
from tfrec.reports.class_table import class_table
from tfrec.tasks.base import Finding
from tfrec.training import loop, preflight, session
from tfrec.utils.console import console

SHOWN_LABELS = 10  # likely wrong ones in the terminal


@dataclasses.dataclass(frozen=True)
class Arguments(Config[Data, Frontend, Model, Task]):
    """Report what a training with these flags, those of `tfrec fit`, would fail on."""

    config: str | None = None  # a run's config.json, which flags then change
    rehearsal: bool = True  # also take a training step with a batch of every shape, for its memory and time
    # Also find likely wrong labels, of all splits: networks with these settings are trained on parts of the data
    labels: bool = False
    folds: int = 4  # of --labels: number of trainings, each on all but one part of this number
    fold_steps: int = 1000  # of --labels: steps of each training, in whole epochs, at most fit.epochs
    shown: int = 100  # of --labels: number of labels on the page
    output: str = "labels"  # of --labels: folder to write labels.html and labels.csv into

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, least in (("folds", 2), ("fold_steps", 1), ("shown", 1)):
            value = getattr(self, field)
            if value < least:
                raise ValueError(f"{field} must be {least} or more. Received: {value}")


def main(argv: Sequence[str]) -> int:
    """Prints the findings; returns 1 where a training cannot go well."""
    _, arguments = flags.parse_fit(argv, Arguments, "python -m tfrec check")
    config = flags.to_config(arguments)
    weights = pretrained_weights.find_all(config) if arguments.labels else {}
    config, corpus = session.resolve(config, weights)
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    loop.check_settings(recognizer)
    if arguments.labels:
        report.require_classes(recognizer)
    findings = preflight.find(recognizer, corpus)
    console.print(_sizes(corpus))
    if corpus.class_names:
        console.print(class_table(corpus))
    for sentence in (*corpus.notes, *preflight.warnings(recognizer, corpus)):
        console.print(sentence)
    console.print(_table(findings) if findings else f"Nothing is wrong with the {_unit(corpus)}s and their labels.")
    if arguments.labels:
        labels = report.find(config, corpus, weights, arguments.folds, arguments.fold_steps)
        folder = pathlib.Path(arguments.output).expanduser()
        report.write(labels, corpus, folder, arguments.shown)
        console.print(_suspects(labels))
        console.print(f"{report.summary(labels)}. In {paths.shown(folder)}: {report.PAGE}, {report.TABLE}.")
    if arguments.rehearsal:
        _print_costs(recognizer, corpus)
    return 1 if any(finding.harmful for finding in findings) else 0


def _unit(corpus: Corpus) -> str:
    return {"image": "picture", "audio": "clip"}.get(corpus.modality, "pair")


def _sizes(corpus: Corpus) -> str:
    parts = []
    for name, split in corpus.splits.items():
        hours = f", {sum(split.seconds) / 3600:.2f} h" if split.seconds is not None else ""
        speakers = f", {counted(len(set(split.speakers)), 'speaker')}" if split.speakers else ""
        parts.append(f"{name} {counted(split.size, _unit(corpus))}{hours}{speakers}")
    return f"{corpus.name}: {'; '.join(parts)}."


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=rich.box.SIMPLE)
    for column in ("split", "how many", "what", "such as"):
        table.add_column(column, overflow="fold")
    for finding in sorted(findings, key=lambda finding: not finding.harmful):
        mark = "!" if finding.harmful else ""
        count = f"{finding.count:,} of {finding.of:,}"
        table.add_row(f"{mark}{finding.split}", count, Text(finding.what), Text(", ".join(finding.examples)))
    return table


def _suspects(labels: Sequence[report.Label]) -> Table:
    table = Table(box=rich.box.SIMPLE)
    for column in ("example", "label", "likely", "probability"):
        table.add_column(column, overflow="fold")
    for label in labels[:SHOWN_LABELS]:
        if label.suspected or label.contradicted:
            texts = [Text(paths.shown(text)) for text in (label.name, label.label, label.likely)]
            table.add_row(*texts, f"{label.likely_probability:.1%}")
    return table


def _print_costs(recognizer: Recognizer, corpus: Corpus) -> None:
    if corpus.modality != "audio":
        cost, steps = preflight.measure_step(recognizer, corpus), loop.count_steps(recognizer, corpus)
        minutes = steps * cost.step_seconds / 60
        console.print(
            f"A step with {counted(cost.clips, _unit(corpus))} takes {cost.step_seconds:.2f} s and"
            f" {cost.memory_bytes / 1e6:,.0f} MB of additional memory; an epoch of {counted(steps, 'step')} takes about"
            f" {minutes:.1f} minutes here."
        )
        return
    buckets, costs = preflight.measure_batches(recognizer, corpus)
    console.print(buckets.describe())
    table = Table(box=rich.box.SIMPLE)
    for column in ("clips", "seconds of each", "additional memory, MB", "seconds of a step"):
        table.add_column(column, justify="right")
    for cost in costs:
        row = [str(cost.clips), f"{cost.seconds:.1f}", f"{cost.memory_bytes / 1e6:,.0f}", f"{cost.step_seconds:.2f}"]
        table.add_row(*row)
    console.print(table)
    mean = sum(cost.step_seconds for cost in costs) / len(costs)
    minutes = buckets.batches * mean / 60
    console.print(f"An epoch of {counted(buckets.batches, 'batch', 'batches')} takes about {minutes:.1f} minutes here.")
