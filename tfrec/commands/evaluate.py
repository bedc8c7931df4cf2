"""Measure a run on a split, with plots: `python -m tfrec evaluate RUN`."""

import dataclasses
import json
from typing import Literal

import tyro

from pipelines import datasets
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.evaluation import scores as evaluation
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.utils import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Scores, confusion matrix and learning curves of a trained run."""

    run: tyro.conf.Positional[str]  # run folder
    split: Literal["test", "validation", "train"] = "test"  # examples to measure on
    batch_size: int = 64  # examples at once; does not change the scores
    json: bool = False  # print the scores as JSON
    decode: DecodeConfig = DecodeConfig()  # of a recognizer that writes texts

    def __post_init__(self):
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more. Received: {self.batch_size}")


def main(argv):
    """Scores a run on a split, writes them and the plots into the run, and prints them."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec evaluate")
    run = Run.open(arguments.run)
    recognizer = Recognizer.load(run)
    corpus = datasets.load(recognizer.config.data, getattr(recognizer.config.frontend, "sample_rate_hz", None))
    recognizer.task.require_same(corpus, run.path)
    options, name = {}, arguments.split
    if arguments.decode != DecodeConfig():
        if recognizer.config.task.name != "transcribe":
            raise UserError(f"--decode is for runs that transcribe, which {run.path} does not: leave it out.")
        options = {"decode": arguments.decode}
        name = f"{name}_{arguments.decode.resolved}" + ("_lm" if arguments.decode.lm else "")
    scores = evaluation.measure(recognizer, corpus, arguments.split, arguments.batch_size, **options)
    brief = evaluation.record(run, recognizer, {name: scores}, run.read_history())
    if arguments.json:
        print(json.dumps(brief, indent=2, ensure_ascii=False))
    else:
        evaluation.show(recognizer, scores, name)
        written = sorted(path.name for kind in ("*.png", "*.txt", "*.html") for path in run.path.glob(kind))
        if (run.path / name).is_dir():
            written.append(f"{name}/")
        console.console.print(f"In {run.path}: {', '.join(['metrics.json', *written])}.")
    return 0
