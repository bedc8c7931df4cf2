"""Search what an experiment leaves open: `python -m tuning.sweep EXPERIMENT [FLAGS]`."""

import dataclasses
import pathlib
from typing import Literal

from pipelines.errors import UserError
from tfrec import cli, experiments, flags, tasks
from tfrec.runs import Run
from tuning import corners, default_spaces, distributed, final, objectives, oracles, spaces, trials
from tuning.sweeping import Sweep

PROG = "python -m tuning.sweep"
TRIALS = 30  # of tuners that know no end of their own
ENDLESS = ("random", "bayesian")
# What a start may choose anew; all else belongs to the sweep that is gone on with.
FREE = ("run", "resume", "trials", "hours", "workers", "role", "oracle", "final", "seeds")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train an experiment with many settings, and find the best by its validation split.

    EXPERIMENT is one of `python -m tfrec.list experiments`; every flag of `python -m tfrec.fit` goes to all trainings.
    Parameters are written NAME=VALUES: model.name=cnn,mlp or fit.learning_rate=1e-4..1e-2:log or model.width=16..64,
    and, in quotes, with a condition: "model.depth=1..3 if model.name=cnn". Without --set and --space the experiment's
    model, frontend and training are searched around their usual values.
    """

    run: str | None = None  # folder of the sweep; None is the first free runs/sweep-NAME
    set: tuple[str, ...] = ()  # parameters to search
    space: str | None = None  # file of more of them, one a line
    models: tuple[str, ...] = ()  # architectures to choose from
    tuner: Literal[oracles.TUNERS] = "bayesian"  # what chooses the values
    objective: tuple[str, ...] = ()  # scores to optimise; the first leads the search; none is the task's usual one
    constraint: tuple[str, ...] = ()  # what a trial must keep to, such as 'latency_ms<5'
    trials: int | None = None  # how many; None is 30, all of a grid, one round of hyperband
    hours: float | None = None  # after which this start ends
    max_epochs: int | None = None  # of a trial; None is the experiment's
    workers: int = 1  # trainings at once on this machine; cores and GPUs are divided among them
    role: Literal["alone", "chief", "worker"] = "alone"  # over several machines: one chief, and workers
    oracle: str | None = None  # HOST:PORT of the chief
    resume: bool = False  # go on with the sweep in --run
    final: bool = False  # at the end train the best and the default anew on all training data, and export
    seeds: tuple[int, ...] = (0, 1, 2)  # of --final

    def __post_init__(self):
        for name, least in (("trials", 1), ("max_epochs", 1), ("workers", 0 if self.role == "chief" else 1)):
            if (value := getattr(self, name)) is not None and value < least:
                raise ValueError(f"{name} must be {least} or more. Received: {value}")
        if self.hours is not None and not self.hours > 0:
            raise ValueError(f"hours must be above 0. Received: {self.hours}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must name at least one, each once. Received: {self.seeds}")


def main(argv):
    """Searches, or goes on with a search, and reports."""
    arguments, experiment, words = _parse(argv)
    if arguments.role != "alone":
        distributed.parse(arguments.oracle)
    config = flags.plain(flags.parse_fit([*experiment, *words])[1])
    lines = _lines(arguments, config)
    parameters = spaces.parse(lines, config)
    path = pathlib.Path(arguments.run or Run.free(f"sweep-{(experiment or [config.data.name])[0]}"))
    plan = _plan(arguments, path, [*experiment, *words], parameters, config)
    count = arguments.trials or (TRIALS if arguments.tuner in ENDLESS else None)
    epochs = arguments.max_epochs or config.fit.epochs
    oracle = oracles.build(
        arguments.tuner, spaces.hyperparameters(parameters), plan.objectives[0], count, epochs, config.seed
    )
    if arguments.role == "worker":
        distributed.work(oracle, arguments.oracle, plan, arguments.workers)
        return 0
    if arguments.resume:
        record = Run(path).read_json("sweep.json")
    else:
        Run(path).require_empty()
        corners.check(parameters, plan.words, _announce)
        record = {"experiment": (experiment or [None])[0], "words": words, "data": config.data.name, "space": lines}
        record |= {"options": _kept(arguments), "tuner": arguments.tuner, "sessions": []}
    sweep = Sweep(plan, oracle, record, config.export)
    server = distributed.served(oracle, arguments.oracle) if arguments.role == "chief" else None
    sweep.go(arguments.workers if server is None else 0, arguments.hours, server)
    cli.console.print(f"The report is {path / 'report.html'}; python -m tfrec.fit --config {path / 'best.json'} trains")
    if arguments.final:
        final.train(sweep, arguments.seeds, max(1, arguments.workers))
    return 0


def _parse(argv):
    """The command line -> (Arguments, [experiment] or [], the words for `tfrec.fit`), with --resume those stored."""
    words = list(argv)
    experiment = [words.pop(0)] if words and not words[0].startswith("-") else []
    if experiment:
        experiments.find(experiment[0])
    own, others = flags.divide(_gathered(words), Arguments)
    arguments = flags.parse(Arguments, own, prog=f"{PROG} [EXPERIMENT]")
    if (given := distributed.from_environment()) and arguments.role == "alone":
        arguments = dataclasses.replace(arguments, role=given[0], oracle=given[1])
    shared = arguments.role == "worker" and arguments.run and (pathlib.Path(arguments.run) / "sweep.json").is_file()
    if not arguments.resume and not (shared and not experiment and not others):
        return arguments, experiment, [*others, "--export.no_after_fit"]
    if not arguments.run:
        raise UserError("--resume needs --run FOLDER, the sweep to go on with.")
    if not (pathlib.Path(arguments.run) / "sweep.json").is_file():
        raise UserError(f"{arguments.run} is no sweep to go on with, since it has no sweep.json: leave out --resume.")
    record = Run(arguments.run).read_json("sweep.json")
    chosen = {flag.split("=")[0][2:].replace("-", "_") for flag in own if flag.startswith("--")}
    if experiment or others or chosen - set(FREE):
        extra = [*experiment, *(other for other in others if other.startswith("--")), *sorted(chosen - set(FREE))]
        raise UserError(f"{arguments.run} was started with settings that --resume cannot change: leave out {extra[0]}.")
    try:
        stored = {name: tuple(value) if isinstance(value, list) else value for name, value in record["options"].items()}
        stored |= {name: getattr(arguments, name) for name in FREE if name in chosen or name not in stored}
        experiment = [record["experiment"]] if record["experiment"] else []
        return Arguments(**stored), experiment, record["words"]
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{arguments.run}/sweep.json is damaged: start another --run.") from None


def _gathered(words):
    """The words with all that follows any --set behind the first one, so that it can be given again and again."""
    kept, values, inside = [], [], False
    for word in words:
        if word.startswith("--"):
            inside = word == "--set"
            if word.startswith("--set="):
                values.append(word.removeprefix("--set="))
            elif not inside:
                kept.append(word)
        else:
            (values if inside else kept).append(word)
    return [*kept, "--set", *values] if values else kept


def _lines(arguments, config):
    """The space as lines: what the user wrote, or what is usual."""
    if len(arguments.models) == 1:
        raise UserError(f"--models must name two or more to choose from: one is --model.name {arguments.models[0]}.")
    lines = [*(spaces.read(arguments.space) if arguments.space else ()), *arguments.set]
    if not lines:
        return default_spaces.lines(config, arguments.models)
    return [*([f"model.name={','.join(arguments.models)}"] if arguments.models else ()), *lines]


def _plan(arguments, path, words, parameters, config):
    measured = tasks.scores(config.task)
    epochs = [f"--fit.epochs={arguments.max_epochs}"] if arguments.max_epochs else []
    return trials.Plan(
        path,
        (*words, *epochs),
        parameters,
        objectives.parse_objectives(arguments.objective or measured[:1], measured),
        objectives.parse_constraints(arguments.constraint, measured),
    )


def _kept(arguments):
    """What a sweep's folder keeps of its options: all that decides what comes out."""
    kept = dataclasses.asdict(arguments)
    return {name: value for name, value in kept.items() if name not in FREE or name == "trials"}


def _announce(networks):
    cli.console.print(f"Building {networks} {'networks' if networks > 1 else 'network'} at the space's corners.")


if __name__ == "__main__":
    cli.run(main)
