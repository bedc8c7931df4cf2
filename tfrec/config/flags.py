"""Command lines to configurations.

A configuration is put together from three layers: an experiment (or the defaults of the data), the settings in the file
of `--config`, and the flags. Flags and JSON are two ways to fill the same dict; `words` says how flags are written.
tyro writes the help and the shell completion.
"""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import tyro

from pipelines.errors import UserError, unknown
from tfrec.config import experiments, from_dict, parts
from tfrec.config.from_dict import read_json
from tfrec.config.schema import AnyConfig, Config, Data, Frontend, Model, Task
from tfrec.config.structure import merge, nested, structure
from tfrec.config.words import CommandLine, Option, field_name, fields_of, is_flag
from tfrec.runs.run import Run

__all__ = ["FitArguments", "parse", "parse_fit", "read_json", "split_flags", "to_config"]

T = TypeVar("T")
_TRAINING_FLAGS = ("--config", "--seed")  # flags of a training that belong to no section
_COMPLETION = ("tyro_print_completion", "tyro_write_completion")  # tyro's flags: SHELL, or SHELL PATH
_SHELLS = ("bash", "zsh", "fish")


@dataclasses.dataclass(frozen=True)
class FitArguments(Config[Data, Frontend, Model, Task]):
    """Train a recognizer, measure it on the test split, and export it."""

    run: str | None = None  # run folder; None is the first free runs/NAME
    config: str | None = None  # config.json of a run, to start from instead of an experiment
    resume: bool = False  # resume the interrupted run in --run
    dry_run: bool = False  # check the data and build the network, but train and write nothing
    test: bool = True  # measure on the test split; otherwise leave that to `python -m tfrec evaluate`


def parse_fit(
    argv: Sequence[str], kind: Any = FitArguments, prog: str = "python -m tfrec.fit"
) -> tuple[str | None, Any]:
    """Reads the command line of a training: `[EXPERIMENT | DATA] [FLAGS]`.

    Args:
        argv: the words after the command.
        kind: FitArguments, or the subclass of Config with the arguments of another command that takes these flags.
        prog: the command, as the help names it.

    Returns:
        The name of the experiment or None, and an instance of `kind`. `--help` prints and exits, whatever else is
        wrong.

    Raises:
        UserError: an unknown experiment, flag or name, or a value of the wrong type or out of range.
    """
    experiment, words = experiments.split_words(argv)
    line = CommandLine.read(words)
    if _asks_for_text(line):
        base = _base_for_help(experiment, line, kind)
        _print_text(line, parts.with_classes(kind, base), f"{prog} [EXPERIMENT | DATA]", kind(**_fields(base)))
    source = _source(line, kind)
    if source and experiment:
        raise UserError(f"{source} holds a whole configuration: leave out the experiment {experiment!r}.")
    stored = _stored(source, line) if source else {}
    base = _base(experiment, stored, line)
    values = line.values(fields_of(parts.with_classes(kind, base)))
    return experiment, from_dict.change(base, merge(stored, nested(values)), kind)


def to_config(arguments: AnyConfig) -> AnyConfig:
    """Returns the Config in FitArguments or another subclass, without the fields of that class."""
    return Config(**_fields(arguments))


def parse(kind: type[T], argv: Sequence[str], prog: str) -> T:
    """Reads a command line into the fields of a dataclass.

    Args:
        kind: the dataclass; fields may be dataclasses, and `tyro.conf.Positional`.
        argv: the words after the command.
        prog: the command, as the help names it.

    Raises:
        UserError: an unknown flag, an argument too many or too few, or a value of the wrong type or out of range.
    """
    line = CommandLine.read(argv)
    if _asks_for_text(line):
        _print_text(line, kind, prog)
    return structure(nested(line.values(fields_of(kind))), kind)


def split_flags(words: Sequence[str], kind: Any) -> tuple[list[str], list[str]]:
    """Divides a command line among the dataclass `kind` and `tfrec.fit`.

    Returns:
        The words for `parse`, and those for `parse_fit`; only `--help` where it is among the words.

    Raises:
        UserError: a flag without a section that belongs to neither.
    """
    if CommandLine.read(words).asks_for_help:
        return ["--help"], []
    names = [f"--{field.name}" for field in dataclasses.fields(kind)]
    own: list[str] = []
    others: list[str] = []
    current = own
    for word in words:
        if is_flag(word):
            flag = word.split("=")[0]
            is_own = f"--{field_name(flag)}" in names
            current = own if is_own else others
            if not is_own and "." not in flag and flag not in (*_TRAINING_FLAGS, "--run"):
                raise unknown("flag", flag, [*names, *_TRAINING_FLAGS])
        current.append(word)
    return own, others


def _fields(config: AnyConfig) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(Config)}


def _source(line: CommandLine, kind: Any) -> str | pathlib.Path | None:
    """The file of settings to start from: that of the run to resume, or that of `--config`."""
    resume = line.last("resume", "no_resume")
    # A command without the field refuses the flag later.
    if resume is None or resume.name == "no_resume" or not hasattr(kind, "resume"):
        return line.text("config")
    run = line.text("run")
    if not run:
        raise UserError("--resume needs --run FOLDER, the run to resume.")
    Run.open(run, trained=False)
    return pathlib.Path(run) / "config.json"


def _stored(source: str | pathlib.Path, line: CommandLine) -> dict[str, Any]:
    """The settings in a file, without the parts that flags give another name; UserError, naming the file."""
    stored = nested(read_json(source))
    for part, name in _names(line).items():
        *outer, last = part.split(".")
        holder: Any = stored
        for each in outer:
            holder = holder.get(each) if isinstance(holder, Mapping) else None
        if isinstance(holder, dict) and isinstance(holder.get(last), Mapping) and holder[last].get("name") != name:
            del holder[last]  # another one brings settings of its own
    from_dict.build(None, stored, source)
    return stored


def _names(line: CommandLine) -> dict[str, str]:
    """{dotted part: name} of the parts, and of the networks in a network, that flags name."""
    return {part: name for part in parts.NAMED if (name := line.text(f"{part}.name")) is not None}


def _base(experiment: str | None, stored: Mapping[str, Any], line: CommandLine) -> AnyConfig:
    """The configuration that the flags change, with parts of the classes that flags and file name."""
    settings = merge(stored, nested({f"{part}.name": name for part, name in _names(line).items()}))
    fields = fields_of(parts.data_class(experiment, settings), "data.")
    known = {field.name for field in fields}
    # The modality of the data, and with it the frontend, may depend on every flag of the data.
    of_data = CommandLine((), tuple(option for option in line.options if option.name in known))
    return parts.choose(experiment, merge(settings, nested(of_data.values(fields))))


def _base_for_help(experiment: str | None, line: CommandLine, kind: Any) -> AnyConfig:
    """As `_base`, with the defaults in place of what is wrong."""
    stored: dict[str, Any] = {}
    with contextlib.suppress(UserError):
        stored = _stored(source, line) if (source := _source(line, kind)) else {}
    frontend = {"frontend": {"name": "image"}}  # for data that cannot be read, whose modality is unknown
    for settings in (stored, frontend | stored):
        with contextlib.suppress(UserError):
            return _base(experiment, settings, line)
    return parts.choose(None, {})


def _asks_for_text(line: CommandLine) -> bool:
    return line.asks_for_help or line.last(*_COMPLETION) is not None


def _print_text(line: CommandLine, kind: Any, prog: str, default: Any = None) -> NoReturn:
    """Prints the help, or the completion of a shell for `tfrec COMMAND`, and exits."""
    completion = line.last(*_COMPLETION)
    options: dict[str, Any] = {"use_underscores": True}
    if line.asks_for_help or completion is None:
        options |= {} if default is None else {"default": default}
        tyro.cli(kind, args=["--help"], prog=prog, **options)
    else:
        _require_shell(completion)
        command = prog.partition(" [EXPERIMENT")[0].split(" ")[-1].rpartition(".")[2]
        words = [f"--{completion.name}", *completion.values]
        tyro.extras.subcommand_cli_from_dict({command: kind}, prog="tfrec", args=words, **options)
    sys.exit(0)


def _require_shell(completion: Option) -> None:
    """Raises UserError where the words after tyro's flag are not a shell, and for a script in a file its path."""
    needed = _COMPLETION.index(completion.name) + 1
    if len(completion.values) != needed or completion.values[0] not in _SHELLS:
        rule = f"--{completion.name} takes {', '.join(_SHELLS)}{' and a path' if needed == 2 else ''}"
        raise UserError(f"{rule}. Received: {' '.join(completion.values) or 'nothing'}")
