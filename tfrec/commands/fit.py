"""Train a recognizer, measure it on the test split, and export it: `tfrec fit [EXPERIMENT | DATA] [FLAGS]`."""

import shlex
import sys
from collections.abc import Sequence

from pipelines.counts import counted
from tfrec.config import flags
from tfrec.runs.run import Run
from tfrec.training import session
from tfrec.utils.console import console


def main(argv: Sequence[str]) -> int:
    """Trains as the command line says and prints the scores."""
    experiment, arguments = flags.parse_fit(argv)
    config = flags.to_config(arguments)
    run = Run(arguments.run or Run.next_free_path(experiment or config.data.name))
    if arguments.resume:
        run = Run.open(arguments.run, trained=False)
    if arguments.dry_run:
        session.dry_run(config, run, arguments.resume)
        console.print("Nothing is trained or written: leave out --dry-run to start.")
        return 0
    if arguments.resume and session.is_over(config, run):
        count = counted(len(run.read_history()), "epoch")
        console.print(f"{run.path} is finished after {count}: nothing is done; --fit.epochs N trains longer.")
        return 0
    verbose = 1 if sys.stdout.isatty() else 2
    result = session.train(config, run, arguments.resume, arguments.test, verbose)
    console.print(result.recognizer.task.report(result.scores, title=f"{result.split} split"))
    console.print(f"Trained in {result.seconds:.0f} s; the run is in {run.path}.")
    _print_next(result)
    return 0


def _print_next(result: session.Result) -> None:
    path = shlex.quote(str(result.run.path))
    lines = [f"python -m tfrec evaluate {path}", f"python -m tfrec predict {path} FILE..."]
    if result.exported:
        console.print(f"The SavedModel is in {result.exported}.")
        base = result.exported.parent
        name, folder = shlex.quote(base.name), shlex.quote(str(base.resolve()))
        lines.append(f"tensorflow_model_server --model_name={name} --model_base_path={folder}")
    else:
        lines.append(f"python -m tfrec export {path}")
    console.print("Next:")
    for line in lines:
        console.print(f"    {line}")
