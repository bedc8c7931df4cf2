"""Train architectures under one budget of time, and report: `python -m tfrec compare --models NAMES [FLAGS]`."""

import dataclasses
import sys

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.studies import candidates
from tfrec.studies.comparison import Comparison
from tfrec.utils import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train each model under the same budget of time, and write a report: accuracy, training time, costs, curves.

    Any flag of `python -m tfrec.fit` may stand beside these and goes to every model; the name of an experiment may
    stand first. What one model has for itself follows its name, settings of the architecture by their bare names:

    python -m tfrec compare mnist --models cnn:width=8,fit.learning_rate=5e-4,mlp --budget-minutes 2 --fit.clip_norm 1

    A model that fails costs only itself, and the report says why. With --resume, finished models are not trained again,
    the one that was interrupted goes on, and those that failed are tried again.
    """

    models: tuple[str, ...] = ()  # NAME or NAME:SETTING=VALUE,SETTING=VALUE; commas or spaces between them
    budget_minutes: float = 10.0  # of training for each model, with its validation
    report: str | None = None  # folder of the report; None is the first free runs/compare-DATA
    resume: bool = False  # go on with the report in --report

    def __post_init__(self):
        if self.budget_minutes <= 0:
            raise ValueError(f"budget_minutes must be above 0. Received: {self.budget_minutes}")


def main(argv):
    """Trains what is not trained yet and reports on everything; status 1 if a model failed."""
    arguments, experiment, words = _parse(argv)
    if arguments.resume:
        comparison = Comparison.open(arguments.report)
        if arguments.models:
            comparison.require_same(candidates.parse(arguments.models, experiment, words, arguments.budget_minutes))
    else:
        chosen = candidates.parse(arguments.models, experiment, words, arguments.budget_minutes)
        comparison = Comparison.of(chosen, arguments, experiment, words)
    try:
        comparison.go()
    except KeyboardInterrupt:
        there = comparison.folder.path.exists()
        print(f"error: Interrupted{f'; go on with: {comparison.again}' if there else ''}.", file=sys.stderr)
        return 130
    console.console.print(comparison.table())
    console.console.print(f"The report is {comparison.folder.path / 'report.md'}.")
    return 1 if comparison.failed else 0


def _parse(argv):
    """The command line -> (Arguments, experiment or None, flags of `tfrec.fit`)."""
    words = list(argv)
    experiment = words.pop(0) if words and not words[0].startswith("-") else None
    own, others = flags.split_flags(words, Arguments)
    for flag in (word.split("=")[0] for word in others):
        _require_not_own(flag)
    arguments = flags.parse(Arguments, own, prog="python -m tfrec compare [EXPERIMENT]")
    if arguments.resume and not arguments.report:
        raise UserError("--resume needs --report FOLDER, the report to go on with.")
    if arguments.resume and not arguments.models and (experiment or others or "budget" in " ".join(own)):
        raise UserError("--resume goes on as it was started: leave out all but --report, or repeat the whole command.")
    return arguments, experiment, others


def _require_not_own(flag):
    """UserError for a flag of `tfrec.fit` that has another name here."""
    if flag == "--run":
        raise UserError("The runs lie in the report's folder: leave out --run, and name that folder by --report.")
    if flag == "--model.name":
        raise UserError("The models are named by --models: leave out --model.name.")
    if flag.replace("-", "_") == "__fit.budget_minutes":
        raise UserError("The budget is given by --budget-minutes: leave out --fit.budget_minutes.")
