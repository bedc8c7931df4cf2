"""The command of a sweep: arguments to a plan and an oracle, then one call."""

import logging
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import flags
from tfrec.config.schema import Config
from tfrec.runs.run import Run
from tfrec.studies import tables
from tfrec.utils.console import console
from tuning import arguments as command_line
from tuning import objectives
from tuning.arguments import Arguments
from tuning.execution import comparison, final_training, remote
from tuning.execution.loop import Sweep
from tuning.execution.plan import Plan
from tuning.oracles import construction, distributed
from tuning.report.results import Results
from tuning.report.table import terminal_table
from tuning.search_space import boundary_configs, defaults, grammar
from tuning.search_space.parameters import Parameter, to_hyperparameters

logger = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Starts or resumes a sweep, prints the best trials, and returns the exit status."""
    parsed = command_line.parse(argv)
    arguments, experiment, words, record = parsed.arguments, parsed.experiment, parsed.words, parsed.record
    config = flags.to_config(flags.parse_fit([*experiment, *words])[1])
    if config.data.train_on_validation:
        raise UserError("A search needs the validation split: leave out data.train_on_validation; --final sets it.")
    lines = record["space"] if record else _space_lines(arguments, config)
    parameters = grammar.parse(lines, config)
    folder = pathlib.Path(arguments.run or Run.next_free_path(f"sweep-{(experiment or [config.data.name])[0]}"))
    plan = _plan(arguments, folder, [*experiment, *words], parameters, config)
    oracle = _oracle(arguments, plan, config)
    if arguments.role == "worker":
        remote.run(oracle, arguments.oracle or "", plan, arguments.workers)
        return 0
    if record is None:
        Run(folder).require_empty()
        boundary_configs.check(parameters, plan.words, _announce)
        words = command_line.keep_base_config(words, folder)
        plan = _plan(arguments, folder, [*experiment, *words], parameters, config)
        name = experiment[0] if experiment else None
        record = {"experiment": name, "words": words, "data": config.data.name, "space": lines}
        record |= {"options": arguments.stored_options(), "tuner": arguments.tuner}
        record |= {"fingerprint": plan.fingerprint, "sessions": []}
    sweep = Sweep(plan, oracle, record)
    results = _run(sweep, arguments)
    _print(sweep, results)
    if arguments.final:
        with sweep.folder.lock():
            table = final_training.train(sweep, arguments.seeds, max(1, arguments.workers))
        console.print(tables.for_terminal(table))
    return 0


def _run(sweep: Sweep, arguments: Arguments) -> Results:
    """Runs the search on this machine, or as the chief of workers elsewhere."""
    if arguments.role != "chief":
        return sweep.run(arguments.workers, arguments.hours, words=arguments.resume_flags())
    sweep.oracle.has_leases = True
    server = distributed.serve(sweep.oracle, arguments.oracle or "", sweep.plan.folder)
    return sweep.run(0, arguments.hours, server, arguments.resume_flags())


def _print(sweep: Sweep, results: Results) -> None:
    folder = sweep.plan.folder
    console.print(terminal_table(results))
    for sentence in comparison.sentences(sweep.folder, results):
        console.print(sentence)
    console.print(f"The report is {folder / 'report.html'}.")
    if sweep.best_label:
        console.print(f"Next:\n    python -m tfrec fit --config {shlex.quote(str(folder / 'best.json'))}")


def _space_lines(arguments: Arguments, config: Config) -> list[str]:
    """The search space as lines: the user's own, or the default."""
    if len(arguments.models) == 1:
        raise UserError(f"--models must name two or more to choose from: one is --model.name {arguments.models[0]}.")
    lines = [*(grammar.read(arguments.space) if arguments.space else ()), *arguments.set]
    if not lines:
        return defaults.lines(config, arguments.models)
    return [*([f"model.name={','.join(arguments.models)}"] if arguments.models else ()), *lines]


def _plan(
    arguments: Arguments,
    folder: pathlib.Path,
    words: Sequence[str],
    parameters: tuple[Parameter, ...],
    config: Config,
) -> Plan:
    measured = list(tasks.scores(config.task))
    if getattr(config.data, "validation_speakers", ()):
        measured.append(objectives.UNSEEN_SPEAKERS)
    elif objectives.UNSEEN_SPEAKERS in (arguments.objective or ()):
        raise UserError(
            f"The objective {objectives.UNSEEN_SPEAKERS} needs speakers that training leaves out: name one or more in"
            " --data.validation_speakers, for a corpus such as spoken_digit."
        )
    epochs = [f"--fit.epochs={arguments.max_epochs}"] if arguments.max_epochs else []
    return Plan(
        folder,
        (*words, *epochs),
        parameters,
        objectives.parse_objectives(arguments.objective or measured[:1], measured),
        objectives.parse_constraints(arguments.constraint, measured),
    )


def _oracle(arguments: Arguments, plan: Plan, config: Config) -> construction.Oracle:
    """Builds the oracle; UserError where two settings decide the number of epochs."""
    is_searched = any(parameter.name == "fit.epochs" for parameter in plan.parameters)
    if is_searched and (arguments.max_epochs or arguments.tuner == "hyperband"):
        raise UserError("fit.epochs is searched: leave out --max-epochs, and use another --tuner than hyperband.")
    epochs = arguments.max_epochs or config.fit.epochs
    space: Any = to_hyperparameters(plan.parameters)
    space.Fixed("tuner/plan", plan.fingerprint)  # so that workers of other sweeps are refused
    oracle = construction.build(arguments.tuner, space, plan.objectives[0], arguments.trials, epochs, config.seed)
    if isinstance(oracle, construction.Hyperband):
        shortest = oracle.min_trial_epochs
        try:
            flags.parse_fit([*plan.words, f"--fit.epochs={shortest}"])
        except UserError as error:
            raise UserError(f"--tuner hyperband begins with trials of {shortest} epochs: {error}") from None
    return oracle


def _announce(networks: int) -> None:
    noun = "networks" if networks > 1 else "network"
    logger.info("Building %s %s at the boundary of the search space.", networks, noun)
