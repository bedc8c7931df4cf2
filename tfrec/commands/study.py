"""Repeat a study of many trainings, and print its tables: `python -m tfrec study transfer`."""

import dataclasses
import pathlib
from typing import Literal

import tyro

from pipelines.errors import UserError, unknown
from tfrec.config import flags
from tfrec.studies import STUDIES
from tfrec.studies import study as studying
from tfrec.utils import console, processes

PROG = "python -m tfrec study"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train everything that a study compares, each with several seeds, and write its tables.

    transfer: five classes of CIFAR-10 from 50 images each, after training on the other five, or from random weights.
    noise: architectures on spoken words, trained clean or with noise, heard clean and in noise; what they start from.
    speakers: spoken digits by each speaker in turn, after training on the others.
    transcription: networks from LSTM to Conformer on one corpus of transcripts, and their error rates.
    `python -m tfrec study NAME --help` tells the study's own flags.
    """

    study: tyro.conf.Positional[Literal[tuple(STUDIES)]]  # which


def main(argv):
    """Trains what is not trained yet, then tells and writes what came out."""
    words = list(argv)
    if not words or words[0].startswith("-"):
        flags.parse(Arguments, words, prog=PROG)  # helps, or says what is missing
        raise UserError(f"The study's name comes first: {PROG} {' or '.join(STUDIES)}.")
    name = words.pop(0)
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    study = STUDIES[name]
    own, others = flags.split_flags(words, study.Options) if study.PASSES_FLAGS else (words, [])
    options = flags.parse(study.Options, own, prog=f"{PROG} {name}")
    stored = {"study": name, **studying.settings(options), **({"flags": others} if others else {})}
    path = pathlib.Path(options.report or f"runs/{name}")
    steps = study.steps(options, others, path / "runs")  # a mistake there leaves no folder behind
    folder = studying.start(path, stored, options.resume)
    with processes.cores_divided(options.workers):
        studying.train(folder, steps, options.workers)
    tables = study.tables(folder, steps)
    studying.write(folder, tables)
    for table in tables:
        console.console.print(studying.for_terminal(table))
    console.console.print(f"The tables are in {folder / 'study.md'}.")
    if hasattr(study, "draw"):
        console.console.print(f"They are drawn in {study.draw(folder, steps)}.")
    return 0
