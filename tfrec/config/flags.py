"""Command-line words to configurations.

A configuration is put together in three steps, each over the one before: an experiment (or the defaults for the
kind of data), the JSON of `--config`, the flags. JSON is read as if it were flags, so both are checked alike.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import pathlib
import re

import tyro

from pipelines import datasets, frontends
from pipelines.errors import UserError, unknown
from tfrec import architectures, tasks
from tfrec.config import experiments
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.runs.run import Run

OF_FIT = ("--config", "--seed")  # flags of a training that have no dot


@dataclasses.dataclass(frozen=True)
class FitArguments(Config[Data, Frontend, Model, Task]):
    """Train a recognizer, measure it on the test split, and export it."""

    run: str | None = None  # run folder; None is the first free runs/NAME
    config: str | None = None  # a run's config.json, which flags then change
    resume: bool = False  # go on with an interrupted run
    test: bool = True  # measure on the test split; else leave it alone, until `python -m tfrec evaluate` does


def parse_fit(argv, kind=FitArguments, prog="python -m tfrec.fit"):
    """`python -m tfrec.fit`'s words -> (name of the experiment or None, FitArguments).

    Another entry point that takes the same words gives its own `kind` of Config, with fields of its own, and its name.
    Raises UserError for an unknown experiment, flag, name or value. `--help` prints and exits.
    """
    words = list(argv)
    experiment = words.pop(0) if words and not words[0].startswith("-") else None
    chosen = _names(words)
    chosen.resume &= hasattr(kind, "resume")  # without the flag the words are refused later
    if chosen.resume and not chosen.run:
        raise UserError("--resume needs --run FOLDER, the run to go on with.")
    if chosen.resume:
        Run.open(chosen.run, trained=False)
    source = pathlib.Path(chosen.run) / "config.json" if chosen.resume else chosen.config
    if source and experiment:
        raise UserError(f"{source} holds a whole configuration: leave out the experiment {experiment!r}.")
    if source:
        stored = read_json(source)
        for part in ("data", "frontend", "model", "task"):
            name = getattr(chosen, f"{part}.name")
            if name and isinstance(stored.get(part), dict) and stored[part].get("name") != name:
                del stored[part]  # another one brings settings of its own
        from_json(stored, source)
        words = _as_words(stored) + words
    return experiment, _parse_over(_base(experiment, _names(words)), words, kind, prog)


def from_json(stored, source="the configuration"):
    """A stored configuration -> Config; UserError, naming its source, for what does not belong in one."""
    words = _as_words(stored)
    try:
        base = _base(None, _names(words))
        known = _flags(base)
        for word in words:
            flag = re.sub(r"(^--|\.)no_", r"\1", word.split("=")[0])
            if word.startswith("--") and flag not in known:
                raise unknown("flag", flag, known)
        return plain(_parse_over(base, words))
    except UserError as error:
        raise UserError(f"{source}: {error}") from error


def plain(arguments):
    """The Config inside FitArguments."""
    return Config(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Config)})


def read_json(path):
    """A JSON object from a file; UserError when there is none."""
    try:
        stored = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path} as JSON: {error}.") from None
    if not isinstance(stored, dict):
        raise UserError(f"{path} must hold a JSON object, as a run's config.json does.")
    return stored


def parse(kind, argv, prog, default=None):
    """Words -> an instance of the dataclass `kind`; UserError for anything that does not fit."""
    printed = io.StringIO()
    options = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(printed):
            result, left = tyro.cli(
                kind, args=list(argv), prog=prog, return_unknown_args=True, use_underscores=True, **options
            )
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise UserError(_sentence(printed.getvalue())) from None
    for word in left:
        if word.startswith("--"):
            raise unknown("flag", word.split("=")[0], _flags(result))
    if left:
        where = _behind(left[0], argv)
        raise UserError(f"Do not know what to do with {left[0]!r}{where}: flags look like --fit.epochs 5; see --help.")
    return result


def divide(words, kind):
    """Words -> (those of the dataclass `kind`, those that go to `tfrec.fit` as they are).

    UserError for a flag that belongs to neither.
    """
    named = [f"--{field.name}" for field in dataclasses.fields(kind)]
    own, others = [], []
    part = own
    for word in words:
        flag = word.split("=")[0]
        if flag.startswith("--"):
            mine = "--" + flag[2:].replace("-", "_") in (*named, "--help")
            part = own if mine else others
            if not mine and "." not in flag and flag not in (*OF_FIT, "--run"):
                raise unknown("flag", flag, [*named, *OF_FIT])
        part.append(word)
    return own, others


def _behind(word, argv):
    """Where a word that nobody takes stands."""
    flag = None
    for other in argv:
        flag = other.split("=")[0] if other.startswith("--") else flag
        if flag and other in (word, f"{flag}={word}"):
            return f" behind {flag}"
    return ""


def _names(words):
    """The few flags that decide which dataclasses the rest is parsed into."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--config", "--run", "--data.name", "--data.path", "--frontend.name", "--model.name", "--task.name"):
        parser.add_argument(flag)
    parser.add_argument("--resume", action="store_true")
    try:
        return parser.parse_known_args(words)[0]
    except argparse.ArgumentError as error:
        raise UserError(f"{error}; see --help.") from None


def _base(experiment, names):
    """The configuration before any other flag: an experiment's, or the defaults for the data and model named."""
    data_name, data_path, model_name = (getattr(names, name) for name in ("data.name", "data.path", "model.name"))
    task_name, base = getattr(names, "task.name"), None
    if experiment:
        base = experiments.find(experiment)()
    elif not data_name:
        base = experiments.find("digits")()
    if base and data_name in (None, base.data.name):
        data = base.data
    else:
        kind = datasets.find(data_name).Config
        has_path = data_path and "path" in {field.name for field in dataclasses.fields(kind)}
        data = kind(name=data_name, **({"path": data_path} if has_path else {}))
    frontend_name = getattr(names, "frontend.name") or frontends.OF_MODALITY[datasets.find(data.name).modality(data)]
    natural = tasks.OF_LABELS[datasets.label_kind(data.name)]
    if base and task_name in (None, base.task.name) and (task_name or data is base.data):
        task = base.task
    else:
        task = tasks.default_config(task_name or natural)
    same_frontend = base and base.frontend.name == frontend_name
    same_model = base and (model_name == base.model.name or (model_name is None and task.name == base.task.name))
    return Config(
        data=data,
        frontend=base.frontend if same_frontend else frontends.default_config(frontend_name),
        model=base.model if same_model else architectures.default_config(model_name or tasks.model(task.name)),
        task=task,
        **({"fit": base.fit, "export": base.export, "seed": base.seed} if base else {}),
    )


def _parse_over(base, words, kind=FitArguments, prog="python -m tfrec.fit"):
    values = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    kinds = tuple(type(values[part]) for part in ("data", "frontend", "model", "task"))
    return parse(kind[kinds], words, prog=f"{prog} [EXPERIMENT]", default=kind(**values))


def _as_words(stored, prefix=""):
    """JSON -> the flags that say the same."""
    words = []
    for key, value in stored.items():
        if isinstance(value, dict):
            words += _as_words(value, f"{prefix}{key}.")
        elif isinstance(value, bool):
            words.append(f"--{prefix}{key}" if value else f"--{prefix}no_{key}")
        elif isinstance(value, list):
            words += [f"--{prefix}{key}", *map(str, value)]
        else:
            words.append(f"--{prefix}{key}={value}")
    return words


def _flags(config, prefix="--"):
    """Every flag of a dataclass instance, dotted."""
    flags = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        nested = dataclasses.is_dataclass(value)
        flags += _flags(value, f"{prefix}{field.name}.") if nested else [f"{prefix}{field.name}"]
    return flags


def _sentence(box):
    """The sentence inside the box that tyro draws around an error, of lines or, for plain terminals, of hyphens."""
    lines = []
    for line in box.splitlines()[1:]:
        text = line.strip("│ ")
        if set(text) <= set("─-╰╯"):  # a rule stands under the sentence, and in plain boxes above it too
            if lines:
                break
            continue
        lines.append(text)
    text = re.sub(r"^Error parsing (\w+: )?", "", " ".join(lines))
    text = re.sub(r": invalid literal for int\(\) with base 10: (.*)", r" must be a whole number. Received: \1", text)
    text = re.sub(r": could not convert string to float: (.*)", r" must be a number. Received: \1", text)
    text = re.sub(r"(Missing) from .*: [A-Z]+ (.*) \(required\)", r"\1: \2", text)
    return text.rstrip(".") + ". See --help."
