"""Repeats a study of many trainings, and prints its tables: `python -m tfrec study transfer`."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import tyro

from pipelines.errors import UserError, unknown
from tfrec.config import flags
from tfrec.studies import STUDIES, study, tables
from tfrec.utils.console import console

PROG = "python -m tfrec study"

if TYPE_CHECKING:
    Name = str
else:
    Name = Literal[tuple(STUDIES)]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train all models of a study, each with several seeds, and write its tables.

    transfer: five classes of CIFAR-10 from 50 images each, pre-trained on the other five or from random weights.
    noise: architectures on spoken words, trained clean or with noise, tested clean and with noise; and pre-training.
    speakers: spoken digits of each speaker in turn, after training on the others.
    multimodal: handwritten and spoken digits, found by each other and classified together, with noise and without.
    labels: scores by the fraction of labels, from scratch and from weights that were trained without labels.
    transcription: networks from LSTM to Conformer on one corpus of transcripts, and their error rates.
    `python -m tfrec study NAME --help` lists the study's own flags.
    """

    study: tyro.conf.Positional[Name]  # which


def main(argv: Sequence[str]) -> int:
    """Trains what has not finished yet, then prints and writes the tables.

    Args:
        argv: command-line arguments, without the name of the command.

    Returns:
        The exit status.
    """
    words = list(argv)
    if not words or words[0].startswith("-"):
        flags.parse(Arguments, words, prog=PROG)  # prints the help, or reports what is missing
        raise UserError(f"The name of the study comes first: {PROG} {' or '.join(STUDIES)}.")
    name = words.pop(0)
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    chosen = STUDIES[name]
    own, fit_flags = flags.split_flags(words, chosen.Options) if chosen.ACCEPTS_FIT_FLAGS else (words, [])
    options = flags.parse(chosen.Options, own, prog=f"{PROG} {name}")
    record = {"study": name, **study.result_settings(options), **({"flags": fit_flags} if fit_flags else {})}
    path = pathlib.Path(options.report or f"runs/{name}")
    steps = chosen.steps(options, fit_flags, path / "runs")  # before the folder, for errors of the user
    folder = study.create_folder(path, record, options.resume)
    study.train(folder, steps, options.workers)
    results = chosen.tables(folder, steps)
    tables.write(folder, results)
    for table in results:
        console.print(tables.for_terminal(table))
    console.print(f"The tables are in {folder / 'study.md'}.")
    if plot := chosen.draw(folder, steps):
        console.print(f"The plot is in {plot}.")
    return 0
