"""Measure a run on a split, with plots: `tfrec evaluate RUN`."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Literal

import tyro

from pipelines import datasets
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.recognizer import Recognizer
from tfrec.reports import scores
from tfrec.runs.run import Run
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Scores of a trained run on a split, with plots."""

    run: tyro.conf.Positional[str]  # run folder
    split: Literal["test", "validation", "train"] = "test"  # examples to measure
    batch_size: int = 64  # examples in a batch; does not change the scores
    json: bool = False  # print the scores as JSON
    decode: DecodeConfig = DecodeConfig()  # of a run that transcribes

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more. Received: {self.batch_size}")


def main(argv: Sequence[str]) -> int:
    """Measures a run on a split, writes scores and plots into the run, and prints the scores."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec evaluate")
    run = Run.open(arguments.run)
    recognizer = Recognizer.from_run(run)
    config = recognizer.config
    corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
    recognizer.task.check_corpus(corpus, run.path)
    decode: DecodeConfig | None = None
    name: str = arguments.split
    if arguments.decode != DecodeConfig():
        decode = arguments.decode
        name = f"{name}_{decode.resolved}" + ("_lm" if decode.lm else "")
    measured = recognizer.evaluate(corpus.splits[arguments.split], arguments.batch_size, decode)
    brief = scores.record(run, recognizer, {name: measured}, run.read_history())
    if arguments.json:
        print(json.dumps(brief, indent=2, ensure_ascii=False))
    else:
        console.print(recognizer.task.report(measured, title=f"{name} split"))
        console.print(f"In {run.path}: {', '.join(scores.written_files(run, name))}.")
    return 0
