"""Repeat a study of many trainings, and print its table: `python -m tfrec.study transfer`."""

import dataclasses
from typing import Literal

import tyro

from tfrec import cli, flags, studying
from tfrec.experiments import STUDIES


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train everything that a study compares, each with several seeds, and write the table.

    transfer: five classes of CIFAR-10 from 50 images each, after training on the other five, or from random weights.
    """

    study: tyro.conf.Positional[Literal[tuple(STUDIES)]]  # which
    report: str | None = None  # folder of the runs and the table; None is runs/STUDY
    seeds: tuple[int, ...] = (0, 1, 2)  # of weights, order, augmentation and the choice of examples
    resume: bool = False  # go on with the study in --report

    def __post_init__(self):
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must name at least one, each once. Received: {self.seeds}")


def main(argv):
    """Trains what is not trained yet, then tells and writes what came out."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec.study")
    study = STUDIES[arguments.study]
    stored = {"study": arguments.study, "seeds": list(arguments.seeds)}
    folder = studying.start(arguments.report or f"runs/{arguments.study}", stored, arguments.resume)
    steps = study.steps(arguments.seeds, folder / "runs")
    studying.train(folder, steps)
    found = studying.rows(folder, steps, study.BASELINE)
    studying.write(folder, found)
    cli.console.print(studying.terminal_table(found))
    cli.console.print(f"The margin is over {study.BASELINE}, seed by seed. The table is in {folder / 'study.md'}.")
    return 0


if __name__ == "__main__":
    cli.run(main)
