"""Measure a run on a split, with plots: `python -m tfrec.evaluate RUN`."""

import dataclasses
import json
from typing import Literal

import tyro

from pipelines import datasets
from pipelines.errors import UserError
from tfrec import cli, evaluation, flags
from tfrec.decoding import DecodeConfig
from tfrec.recogniser import Recogniser
from tfrec.runs import Run


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Scores, confusion matrix and learning curves of a trained run."""

    run: tyro.conf.Positional[str]  # run folder
    split: Literal["test", "validation", "train"] = "test"  # examples to measure on
    batch_size: int = 64  # examples at once; does not change the scores
    json: bool = False  # print the scores as JSON
    decode: DecodeConfig = DecodeConfig()  # of a recogniser that writes texts

    def __post_init__(self):
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more. Received: {self.batch_size}")


def main(argv):
    """Scores a run on a split, writes them and the plots into the run, and prints them."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec.evaluate")
    run = Run.open(arguments.run)
    recogniser = Recogniser.load(run)
    corpus = datasets.load(recogniser.config.data, getattr(recogniser.config.frontend, "sample_rate_hz", None))
    recogniser.task.require_same(corpus, run.path)
    options, name = {}, arguments.split
    if arguments.decode != DecodeConfig():
        if recogniser.config.task.name != "transcribe":
            raise UserError(f"--decode is for runs that transcribe, which {run.path} does not: leave it out.")
        options = {"decode": arguments.decode}
        name = f"{name}_{arguments.decode.resolved}" + ("_lm" if arguments.decode.lm else "")
    scores = evaluation.measure(recogniser, corpus, arguments.split, arguments.batch_size, **options)
    brief = evaluation.record(run, recogniser, {name: scores}, run.read_history())
    if arguments.json:
        print(json.dumps(brief, indent=2, ensure_ascii=False))
    else:
        evaluation.show(recogniser, scores, name)
        written = sorted(path.name for kind in ("*.png", "*.txt", "*.html") for path in run.path.glob(kind))
        if (run.path / name).is_dir():
            written.append(f"{name}/")
        cli.console.print(f"In {run.path}: {', '.join(['metrics.json', *written])}.")
    return 0


if __name__ == "__main__":
    cli.run(main)
