"""The command line of a sweep, and what sweep.json keeps of it."""

import dataclasses
import pathlib
from collections.abc import Collection, Sequence
from typing import Any, Literal

from pipelines.errors import UserError
from tfrec.config import experiments, flags
from tfrec.runs.run import Run
from tuning.oracles import distributed
from tuning.oracles.construction import DEFAULT_TRIALS

PROG = "python -m tuning.sweep"
UNLIMITED_TUNERS = ("random", "bayesian")  # have no end of their own
BASE_CONFIG = "base.json"  # in the sweep's folder, a copy of the file of --config
REPEATABLE = ("--set", "--models", "--objective", "--constraint", "--seeds")  # flags with several values
# What may differ between two starts of a sweep; all other options are fixed by the first.
PER_START = ("run", "resume", "trials", "hours", "workers", "role", "oracle", "final", "seeds")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train an experiment with many settings, and find the best by its validation split.

    EXPERIMENT is one of `python -m tfrec list experiments`; every flag of `python -m tfrec fit` applies to all trials.
    Parameters are written NAME=VALUES: model.name=cnn,mlp or fit.learning_rate=1e-4..1e-2:log or model.width=16..64,
    and, in quotes, with a condition: "model.depth=1..3 if model.name=cnn". Without --set and --space the experiment's
    model, frontend and training are searched around their default values.
    """

    run: str | None = None  # folder of the sweep; None is the first free runs/sweep-NAME
    set: tuple[str, ...] = ()  # parameters to search
    space: str | None = None  # file of more of them, one per line
    models: tuple[str, ...] = ()  # architectures to choose from
    tuner: Literal["random", "grid", "bayesian", "hyperband"] = "bayesian"  # what chooses the values
    objective: tuple[str, ...] = ()  # scores to optimize, the first leads the search; empty is the task's main score
    constraint: tuple[str, ...] = ()  # bounds that a trial must satisfy, such as 'latency_ms<5'
    trials: int | None = None  # maximum; None is 30, what --hours allow, all of a grid, one iteration of hyperband
    hours: float | None = None  # after which the search is interrupted
    max_epochs: int | None = None  # of a trial; None is the experiment's
    workers: int = 1  # trainings at once on this machine; cores and GPUs are divided among them
    role: Literal["single", "chief", "worker"] = "single"  # over several machines: one chief, and workers
    oracle: str | None = None  # HOST:PORT of the chief
    resume: bool = False  # resume the sweep in --run
    final: bool = False  # afterwards train the best and the default again on all training data, and export
    seeds: tuple[int, ...] = (0, 1, 2)  # of --final

    def __post_init__(self) -> None:
        for name, minimum in (("trials", 1), ("max_epochs", 1), ("workers", 0 if self.role == "chief" else 1)):
            if (value := getattr(self, name)) is not None and value < minimum:
                raise ValueError(f"{name} must be {minimum} or more. Received: {value}")
        if self.hours is not None and not self.hours > 0:
            raise ValueError(f"hours must be above 0. Received: {self.hours}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must name at least one, each once. Received: {self.seeds}")
        if self.oracle and self.role == "single":
            raise ValueError(f"oracle is for --role chief and --role worker. Received: {self.oracle}")

    def resume_flags(self) -> list[str]:
        """Returns the flags that a later start needs next to --run and --resume."""
        words = [f"--workers={self.workers}"] if self.workers != Arguments.workers else []
        words += [f"--hours={self.hours:g}"] if self.hours else []
        words += [f"--role={self.role}", f"--oracle={self.oracle}"] if self.role != "single" else []
        return [*words, *(["--final", "--seeds", *map(str, self.seeds)] if self.final else [])]

    def stored_options(self) -> dict[str, Any]:
        """Returns the options that sweep.json keeps: those that decide the results."""
        options = dataclasses.asdict(self)
        return {name: value for name, value in options.items() if name not in PER_START or name == "trials"}


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """A parsed command line.

    `experiment` is its name in a list, or empty; `words` are those of `tfrec fit`; `record` is sweep.json where the
    sweep is resumed, or a worker joins one whose folder it has.
    """

    arguments: Arguments
    experiment: list[str]
    words: list[str]
    record: dict[str, Any] | None = None


def parse(argv: Sequence[str]) -> CommandLine:
    """Parses the command line; of a sweep that is resumed, the rest comes from its sweep.json.

    Raises:
        UserError: If a flag, a name or a value is unknown, or a resumed sweep cannot change it.
    """
    name, words = experiments.split_words(argv)
    experiment = [name] if name else []
    if name and not {"-h", "--help"} & set(words):
        experiments.find(name)
    own, others = flags.split_flags(words, Arguments)
    own = _merge_repeated(own)
    arguments = flags.parse(Arguments, own, prog=f"{PROG} [EXPERIMENT | DATA]")
    if arguments.role == "single" and (given := distributed.from_environment()):
        arguments = dataclasses.replace(arguments, role=given[0], oracle=given[1])
    if arguments.role != "single":
        distributed.parse_address(arguments.oracle)
    is_started = arguments.run is not None and (pathlib.Path(arguments.run) / "sweep.json").is_file()
    chosen = {flag.split("=")[0][2:].replace("-", "_") for flag in own if flag.startswith("--")}
    fixed = sorted(chosen - set(PER_START))
    joins = arguments.role == "worker" and arguments.run and not (experiment or others or fixed)
    if joins and not is_started:
        raise UserError(
            f"{arguments.run} has no sweep.json to join: start its chief first, or give this worker the chief's own"
            " command."
        )
    if not arguments.resume and not joins:
        return CommandLine(_limited(arguments, is_resumed=False), experiment, others)
    if not arguments.run:
        raise UserError("--resume needs --run FOLDER, the sweep to resume.")
    if not is_started:
        raise UserError(f"{arguments.run} is not a sweep to resume, as it has no sweep.json: leave out --resume.")
    extra = [*experiment, *(other for other in others if other.startswith("--")), *(f"--{name}" for name in fixed)]
    if extra:
        raise UserError(f"{arguments.run} was started with settings that --resume cannot change: leave out {extra[0]}.")
    return _from_record(arguments, Run(arguments.run).read_json("sweep.json"), chosen)


def keep_base_config(words: Sequence[str], folder: pathlib.Path) -> list[str]:
    """Copies the file of --config into the sweep's folder, so that trials do not change with the original.

    Args:
        words: The command line of `tfrec fit`.
        folder: The folder of the sweep.

    Returns:
        The command line with the copy.
    """
    result = list(words)
    for i, word in enumerate(result):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            stored = flags.read_json(value if equals else result[i + 1])
            folder.mkdir(parents=True, exist_ok=True)
            Run(folder).write_json(BASE_CONFIG, stored)
            result[i : i + (1 if equals else 2)] = [f"--config={(folder / BASE_CONFIG).resolve()}"]
    return result


def _from_record(arguments: Arguments, record: Any, chosen: Collection[str]) -> CommandLine:
    """Restores the command line from sweep.json, but for the options `chosen` now; UserError where it is damaged."""
    folder = pathlib.Path(arguments.run or "")
    try:
        options: dict[str, Any] = dict(record["options"])
        options |= {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
        options |= {name: getattr(arguments, name) for name in PER_START if name in chosen or name not in options}
        options |= {name: getattr(arguments, name) for name in ("role", "oracle")}
        record["options"]["trials"] = options["trials"]
        experiment = [record["experiment"]] if record["experiment"] else []
        base = f"--config={(folder / BASE_CONFIG).resolve()}"  # the folder may have been moved
        words = [base if word.startswith("--config=") else word for word in record["words"]]
        if not all(isinstance(line, str) for line in (*experiment, *record["space"])):
            raise TypeError
        restored, record = Arguments(**options), {**record, "space": list(record["space"])}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{folder / 'sweep.json'} is damaged: start another --run.") from None
    return CommandLine(_limited(restored, is_resumed=True), experiment, words, record)


def _limited(arguments: Arguments, is_resumed: bool) -> Arguments:
    """Adds the default number of trials where nothing else limits the search.

    UserError where a sweep was limited by hours at its first start, and by nothing at this one.
    """
    is_limited = arguments.trials or arguments.hours or arguments.tuner not in UNLIMITED_TUNERS
    if is_limited or arguments.role == "worker":
        return arguments
    if is_resumed:
        raise UserError("This sweep was limited by --hours only: --resume needs --hours or --trials again.")
    return dataclasses.replace(arguments, trials=DEFAULT_TRIALS)


def _merge_repeated(words: Sequence[str]) -> list[str]:
    """Moves the values of each of several equal flags after the first, so that flags can be repeated."""
    values: dict[str | None, list[str]] = {}
    flag: str | None = None
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            flag = "--" + name[2:].replace("-", "_")
            if flag not in REPEATABLE:
                flag, equals, value = word, "", ""
            values.setdefault(flag, []).extend([value] if equals else [])
        else:
            values.setdefault(flag, []).append(word)
    if names := values.get("--models"):
        values["--models"] = ",".join(names).split(",")  # commas separate architectures too, as for `tfrec compare`
    return [word for flag, own in values.items() for word in ([flag] if flag else []) + own]
