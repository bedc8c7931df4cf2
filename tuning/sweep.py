"""Search what an experiment leaves open: `python -m tuning.sweep EXPERIMENT [FLAGS]`."""

import dataclasses
import pathlib
import shlex
import sys
from typing import Literal

from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import experiments, flags
from tfrec.runs.run import Run
from tfrec.utils import console
from tuning import corners, default_spaces, distributed, final, grammar, objectives, oracles, spaces, trials
from tuning.sweeping import Sweep

PROG = "python -m tuning.sweep"
ENDLESS = ("random", "bayesian")  # know no end of their own
BASE = "base.json"  # a copy of the file of --config
MANY = ("--set", "--models", "--objective", "--constraint", "--seeds")  # flags that take several values
# What a start may choose anew; all else belongs to the sweep that is gone on with.
FREE = ("run", "resume", "trials", "hours", "workers", "role", "oracle", "final", "seeds")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train an experiment with many settings, and find the best by its validation split.

    EXPERIMENT is one of `python -m tfrec list experiments`; every flag of `python -m tfrec.fit` goes to all trainings.
    Parameters are written NAME=VALUES: model.name=cnn,mlp or fit.learning_rate=1e-4..1e-2:log or model.width=16..64,
    and, in quotes, with a condition: "model.depth=1..3 if model.name=cnn". Without --set and --space the experiment's
    model, frontend and training are searched around their usual values.
    """

    run: str | None = None  # folder of the sweep; None is the first free runs/sweep-NAME
    set: tuple[str, ...] = ()  # parameters to search
    space: str | None = None  # file of more of them, one a line
    models: tuple[str, ...] = ()  # architectures to choose from
    tuner: Literal[oracles.TUNERS] = "bayesian"  # what chooses the values
    objective: tuple[str, ...] = ()  # scores to optimize; the first leads the search; none is the task's usual one
    constraint: tuple[str, ...] = ()  # what a trial must keep to, such as 'latency_ms<5'
    trials: int | None = None  # how many; None is 30, what --hours allow, all of a grid, one round of hyperband
    hours: float | None = None  # after which this start ends, if its trials have not ended before
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
        if self.oracle and self.role == "alone":
            raise ValueError(f"oracle is for --role chief and --role worker. Received: {self.oracle}")


def main(argv):
    """Searches, or goes on with a search, and reports."""
    arguments, experiment, words, record = _parse(argv)
    if arguments.role != "alone":
        distributed.parse(arguments.oracle)
    arguments = _bounded(arguments, record)
    config = flags.plain(flags.parse_fit([*experiment, *words])[1])
    if config.data.train_on_validation:
        raise UserError("data.train_on_validation leaves nothing to choose by: leave it out; --final does that itself.")
    lines = record["space"] if record else _lines(arguments, config)
    parameters = grammar.parse(lines, config)
    path = pathlib.Path(arguments.run or Run.next_free_path(f"sweep-{(experiment or [config.data.name])[0]}"))
    plan = _plan(arguments, path, [*experiment, *words], parameters, config)
    oracle = _oracle(arguments, plan, config)
    if arguments.role == "worker":
        distributed.work(oracle, arguments.oracle, plan, arguments.workers)
        return 0
    if record is None:
        Run(path).require_empty()
        corners.check(parameters, plan.words, _announce)
        words = _keep_source(words, path)
        record = {"experiment": (experiment or [None])[0], "words": words, "data": config.data.name, "space": lines}
        record |= {"options": _kept(arguments), "tuner": arguments.tuner, "mark": plan.mark, "sessions": []}
        plan = _plan(arguments, path, [*experiment, *words], parameters, config)
    sweep, server = Sweep(plan, oracle, record), None
    if arguments.role == "chief":
        oracle.leases, server = True, distributed.served(oracle, arguments.oracle, path)
    sweep.go(0 if server else arguments.workers, arguments.hours, server, _again(arguments))
    console.console.print(f"The report is {path / 'report.html'}.")
    if sweep.kept:
        console.console.print(f"Next:\n    python -m tfrec.fit --config {shlex.quote(str(path / 'best.json'))}")
    if arguments.final:
        with sweep.folder.lock():
            final.train(sweep, arguments.seeds, max(1, arguments.workers))
    return 0


def _parse(argv):
    """The command line -> (Arguments, [experiment] or [], the words for `tfrec.fit`, sweep.json or None).

    The last, and the others from it, where the sweep is gone on with, or a worker joins one whose folder it sees.
    """
    words = list(argv)
    experiment = [words.pop(0)] if words and not words[0].startswith("-") else []
    if experiment:
        experiments.find(experiment[0])
    own, others = flags.divide(words, Arguments)
    own = _gathered(own)
    arguments = flags.parse(Arguments, own, prog=f"{PROG} [EXPERIMENT]")
    if arguments.role == "alone" and (given := distributed.from_environment()):
        arguments = dataclasses.replace(arguments, role=given[0], oracle=given[1])
    there = arguments.run and (pathlib.Path(arguments.run) / "sweep.json").is_file()
    chosen = {flag.split("=")[0][2:].replace("-", "_") for flag in own if flag.startswith("--")}
    joins = arguments.role == "worker" and arguments.run and not (experiment or others or chosen - set(FREE))
    if joins and not there:
        raise UserError(
            f"{arguments.run} has no sweep.json to join: start its chief first, or give this worker the chief's own"
            " command."
        )
    if not arguments.resume and not joins:
        return arguments, experiment, others, None
    if not arguments.run:
        raise UserError("--resume needs --run FOLDER, the sweep to go on with.")
    if not there:
        raise UserError(f"{arguments.run} is no sweep to go on with, since it has no sweep.json: leave out --resume.")
    record = Run(arguments.run).read_json("sweep.json")
    if experiment or others or chosen - set(FREE):
        extra = [*experiment, *(other for other in others if other.startswith("--"))]
        extra += [f"--{name}" for name in sorted(chosen - set(FREE))]
        raise UserError(f"{arguments.run} was started with settings that --resume cannot change: leave out {extra[0]}.")
    return _stored(arguments, record, chosen)


def _stored(arguments, record, chosen):
    """The same from sweep.json, but for what this start has `chosen` anew; UserError where that is damaged."""
    try:
        stored = {name: tuple(value) if isinstance(value, list) else value for name, value in record["options"].items()}
        stored |= {name: getattr(arguments, name) for name in FREE if name in chosen or name not in stored}
        stored |= {name: getattr(arguments, name) for name in ("role", "oracle")}
        record["options"]["trials"] = stored["trials"]
        experiment = [record["experiment"]] if record["experiment"] else []
        base = f"--config={(pathlib.Path(arguments.run) / BASE).resolve()}"  # the folder may have been moved
        words = [base if word.startswith("--config=") else word for word in record["words"]]
        if not all(isinstance(line, str) for line in (*experiment, *record["space"])):
            raise TypeError
        return Arguments(**stored), experiment, words, {**record, "space": list(record["space"])}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{arguments.run}/sweep.json is damaged: start another --run.") from None


def _bounded(arguments, record):
    """With an end, also for tuners that know none; UserError where a start before had hours, and this one nothing."""
    if arguments.tuner not in ENDLESS or arguments.trials or arguments.hours or arguments.role == "worker":
        return arguments
    if record:
        raise UserError("Only --hours has ended this sweep before: --resume needs --hours or --trials again.")
    return dataclasses.replace(arguments, trials=oracles.USUAL)


def _again(arguments):
    """The flags that a later start of the same sweep needs, beside --resume."""
    words = [f"--workers={arguments.workers}"] if arguments.workers != Arguments.workers else []
    words += [f"--hours={arguments.hours:g}"] if arguments.hours else []
    words += [f"--role={arguments.role}", f"--oracle={arguments.oracle}"] if arguments.role != "alone" else []
    return [*words, *(["--final", "--seeds", *map(str, arguments.seeds)] if arguments.final else [])]


def _keep_source(words, folder):
    """The words with a copy of the file of --config, in the sweep's folder: trials shall not change with the file."""
    words = list(words)
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            stored = flags.read_json(value if equals else words[i + 1])
            folder.mkdir(parents=True, exist_ok=True)
            Run(folder).write_json(BASE, stored)
            words[i : i + (1 if equals else 2)] = [f"--config={(folder / BASE).resolve()}"]
    return words


def _oracle(arguments, plan, config):
    """Keras Tuner's oracle; UserError where epochs are to be chosen twice."""
    searched = "fit.epochs" in [one.name for one in plan.parameters]
    if searched and (arguments.max_epochs or arguments.tuner == "hyperband"):
        raise UserError("fit.epochs is searched: leave out --max-epochs, and take another --tuner than hyperband.")
    epochs = arguments.max_epochs or config.fit.epochs
    space = spaces.hyperparameters(plan.parameters)
    space.Fixed("tuner/plan", plan.mark)  # so that workers of another are told apart
    oracle = oracles.build(arguments.tuner, space, plan.objectives[0], arguments.trials, epochs, config.seed)
    if arguments.tuner == "hyperband":
        try:
            flags.parse_fit([*plan.words, f"--fit.epochs={oracle.shortest}"])
        except UserError as error:
            raise UserError(f"--tuner hyperband begins with trials of {oracle.shortest} epochs: {error}") from None
    return oracle


def _gathered(words):
    """The words with what follows each of several equal flags behind the first, so that they can be given again."""
    values, flag = {}, None
    for word in words:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            flag = "--" + flag[2:].replace("-", "_")
            if flag not in MANY:
                flag, equals, value = word, "", ""
            values.setdefault(flag, []).extend([value] if equals else [])
        else:
            values.setdefault(flag, []).append(word)
    # Commas divide architectures too, as for `tfrec.compare`.
    values |= {"--models": ",".join(found).split(",")} if (found := values.get("--models")) else {}
    return [word for flag, found in values.items() for word in ([flag] if flag else []) + found]


def _lines(arguments, config):
    """The space as lines: what the user wrote, or what is usual."""
    if len(arguments.models) == 1:
        raise UserError(f"--models must name two or more to choose from: one is --model.name {arguments.models[0]}.")
    lines = [*(grammar.read(arguments.space) if arguments.space else ()), *arguments.set]
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
    console.console.print(f"Building {networks} {'networks' if networks > 1 else 'network'} at the space's corners.")


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
