"""Trains architectures under one time budget, and reports: `python -m tfrec compare --models NAMES [FLAGS]`."""

import dataclasses
import sys
from collections.abc import Sequence

from pipelines.errors import UserError
from tfrec.config import experiments, flags
from tfrec.studies import candidates
from tfrec.studies.comparison import Comparison
from tfrec.utils.console import console

# {flag of `tfrec.fit`: what to use instead}.
RESERVED_FLAGS = {
    "--run": "The runs are in the report's folder: leave out --run, and name that folder by --report.",
    "--model.name": "The models are named by --models: leave out --model.name.",
    "--fit.budget_minutes": "The budget is given by --budget-minutes: leave out --fit.budget_minutes.",
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train each model under the same time budget, and write a report: accuracy, training time, costs, curves.

    Any flag of `python -m tfrec.fit` can follow and goes to every model; the name of an experiment, or a
    folder of data, can come first.
    Settings of one model follow its name, those of the architecture without a prefix:

    python -m tfrec compare mnist --models cnn:width=8,fit.learning_rate=5e-4,mlp --budget-minutes 2 --fit.clip_norm 1

    A model that fails does not stop the others, and the report says why it failed. With --resume, finished models are
    not trained again, an interrupted one is resumed, and those that failed are trained again.
    """

    models: tuple[str, ...] = ()  # NAME or NAME:SETTING=VALUE,SETTING=VALUE; commas or spaces between them
    budget_minutes: float = 10.0  # of training for each model, with its validation
    report: str | None = None  # folder of the report; None is the first free runs/compare-DATA
    resume: bool = False  # resume the comparison in --report

    def __post_init__(self) -> None:
        if self.budget_minutes <= 0:
            raise ValueError(f"budget_minutes must be above 0. Received: {self.budget_minutes}")


def main(argv: Sequence[str]) -> int:
    """Trains what has not finished yet, and reports.

    Args:
        argv: command-line arguments, without the name of the command.

    Returns:
        The exit status: 1 if a model failed, 130 after Ctrl-C.
    """
    arguments, experiment, words = _parse(argv)
    models, minutes = arguments.models, arguments.budget_minutes
    if arguments.resume and arguments.report:
        comparison = Comparison.open(arguments.report)
        if models:
            comparison.require_same(candidates.parse(models, experiment, words, minutes))
    else:
        comparison = Comparison.create(models, experiment, words, minutes, arguments.report)
    try:
        comparison.run()
    except KeyboardInterrupt:
        started = comparison.folder.path.exists()
        advice = f"; resume with: {comparison.resume_command}" if started else ""
        print(f"error: Interrupted{advice}.", file=sys.stderr)
        return 130
    console.print(comparison.table())
    console.print(f"The report is {comparison.folder.path / 'report.md'}.")
    return 1 if comparison.failed else 0


def _parse(argv: Sequence[str]) -> tuple[Arguments, str | None, list[str]]:
    """The command line -> (Arguments, experiment or None, flags of `tfrec.fit`)."""
    experiment, words = experiments.split_words(argv)
    own, others = flags.split_flags(words, Arguments)
    for word in others:
        flag = word.split("=")[0]
        if flag.startswith("--"):
            flag = "--" + flag[2:].replace("-", "_")
        if flag in RESERVED_FLAGS:
            raise UserError(RESERVED_FLAGS[flag])
    arguments = flags.parse(Arguments, own, prog="python -m tfrec compare [EXPERIMENT | DATA]")
    if arguments.resume and not arguments.report:
        raise UserError("--resume needs --report FOLDER, the report to resume.")
    if arguments.resume and not arguments.models and (experiment or others or "budget" in " ".join(own)):
        raise UserError(
            "--resume cannot change the models or flags: leave out all but --report, or repeat the whole command."
        )
    return arguments, experiment, others
