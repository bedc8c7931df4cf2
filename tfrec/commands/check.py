"""Look at the data of a training on speech before it starts: `python -m tfrec check [EXPERIMENT] [FLAGS]`."""

import dataclasses

import rich.box
from rich.table import Table
from rich.text import Text

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import flags
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.recognizer import Recognizer
from tfrec.training import loop, preflight
from tfrec.utils import console


@dataclasses.dataclass(frozen=True)
class CheckArguments(Config[Data, Frontend, Model, Task]):
    """Tell what a training with these flags, those of `python -m tfrec.fit`, would stumble over."""

    config: str | None = None  # a run's config.json, which flags then change
    rehearsal: bool = True  # also take a step with a batch of every shape, for its memory and time


def main(argv):
    """Prints what it finds; status 1 where a training cannot go well."""
    _, arguments = flags.parse_fit(argv, CheckArguments, "python -m tfrec check")
    config = flags.plain(arguments)
    corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
    if corpus.modality != "audio":
        raise UserError(f"{corpus.name} holds pictures, and this looks at speech: see `python -m tfrec show`.")
    resolved = frontends.resolve(config.frontend, corpus, None, architectures.find(config.model.name).input_kinds)
    config = dataclasses.replace(config, frontend=resolved)
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    loop.require_fitting(recognizer)
    found = preflight.findings(recognizer, corpus)
    console.console.print(_sizes(corpus))
    for note in corpus.notes:
        console.console.print(note)
    console.console.print(_table(found) if found else "Nothing is wrong with the clips and their labels.")
    if arguments.rehearsal:
        _rehearse(recognizer, corpus)
    return 1 if any(finding.harmful for finding in found) else 0


def _sizes(corpus):
    told = []
    for name, split in corpus.splits.items():
        hours = f", {sum(split.seconds) / 3600:.2f} h" if split.seconds is not None else ""
        speakers = f", {len(set(split.speakers))} speakers" if split.speakers else ""
        told.append(f"{name} {split.size:,} clips{hours}{speakers}")
    return f"{corpus.name}: {'; '.join(told)}."


def _table(found):
    table = Table(box=rich.box.SIMPLE)
    for column in ("split", "how many", "what", "such as"):
        table.add_column(column, overflow="fold")
    for finding in sorted(found, key=lambda finding: not finding.harmful):
        mark = "!" if finding.harmful else ""
        count = f"{finding.count:,} of {finding.of:,}"
        table.add_row(f"{mark}{finding.split}", count, Text(finding.what), Text(", ".join(finding.examples)))
    return table


def _rehearse(recognizer, corpus):
    shapes, steps = preflight.rehearse(recognizer, corpus)
    console.console.print(shapes.describe())
    table = Table(box=rich.box.SIMPLE)
    for column in ("clips", "seconds of each", "memory on top, MB", "seconds of a step"):
        table.add_column(column, justify="right")
    for clips, seconds, memory, took in steps:
        table.add_row(str(clips), f"{seconds:.1f}", f"{memory / 1e6:,.0f}", f"{took:.2f}")
    console.console.print(table)
    mean = sum(took for *_, took in steps) / len(steps)
    minutes = shapes.batches * mean / 60
    console.console.print(f"An epoch of {shapes.batches} batches takes about {minutes:.1f} minutes here.")
