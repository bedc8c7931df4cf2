"""Commands of the documentation: executed in this process, or parsed only."""

import importlib
import pathlib
import re
import shlex

from tfrec.__main__ import COMMANDS
from tfrec.config import flags
from tfrec.training.distributed import launcher

ROOT = pathlib.Path(__file__).parents[2]
TAKE_FIT_FLAGS = ("fit", "show", "check", "prepare", "lm", "compare", "study", "sweep")
NOT_OURS = ("pip", "pre-commit", "pytest", "mkdocs", "source", ".ci/run")  # that install or check this project


def split(text, language="bash"):
    """The commands in a block, as lists of words; those that install or check this project are left out."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    if language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        words = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                words.append(word)
                continue
            if words and words[0] not in NOT_OURS and words[:3] != ["python", "-m", "venv"]:
                yield words
            words = []


def ours(words):
    """(name, arguments) of a command of tfrec, or ("benchmarks.NAME", arguments); AssertionError for another one."""
    if words[:2] == ["python", "-m"]:
        module, rest = words[2], words[3:]
        words = {"tfrec": ["tfrec", *rest], "tfrec.fit": ["tfrec", "fit", *rest]}.get(module)
        words = words or {"tuning.sweep": ["tfrec-sweep", *rest]}.get(module)
        if words is None:
            assert module.startswith("benchmarks."), f"no module of this project: {module}"
            return module, rest
    if words[0] == "tfrec-sweep":
        return "sweep", words[1:]
    assert words[0] == "tfrec", f"no command of this project: {shlex.join(words)}; skip the block, with a reason"
    name = words[1].replace("-", "_")
    assert name in COMMANDS, f"unknown command: {shlex.join(words)}"
    return name, words[2:]


def execute(name, arguments):
    """Executes a command of tfrec in this process; AssertionError for another status than 0."""
    try:
        status = _module(name).main(arguments)
    except SystemExit as stop:  # of --help
        status = stop.code
    assert not status, f"tfrec {name} {shlex.join(arguments)} ends with status {status}"


def parse(name, arguments):
    """Checks the flags of a command, and nothing else; UserError or AssertionError where one is wrong.

    Everything that the tests of the documentation use of `tfrec.config.flags` is here.
    """
    if name.startswith("benchmarks."):
        assert (ROOT / name.replace(".", "/")).with_suffix(".py").is_file(), name
        return
    module, arguments = _module(name), _without_missing_config(arguments)
    if name == "study":
        study = importlib.import_module("tfrec.studies").STUDIES[arguments[0]]
        own, others = flags.split_flags(arguments[1:], study.Options)
        options = flags.parse(study.Options, own, prog=name)
        if others:
            flags.parse_fit([getattr(study, "EXPERIMENT", None) or options.training, *others])
    elif name in ("compare", "sweep"):
        options = importlib.import_module("tuning.arguments").Arguments if name == "sweep" else module.Arguments
        experiment = arguments[:1] if arguments and not arguments[0].startswith("-") else []
        own, others = flags.split_flags(arguments[len(experiment) :], options)
        flags.parse(options, own, prog=name)
        flags.parse_fit([*experiment, *others])
    elif name == "lm":
        is_file = arguments[0] not in importlib.import_module("tfrec.config.experiments").EXPERIMENTS
        flags.parse_fit(arguments[1:] if is_file else arguments, module.Arguments, name)
    elif name == "launch":
        flags.parse_fit(launcher.parse(arguments).command[1:])
    elif name in TAKE_FIT_FLAGS:
        flags.parse_fit(arguments, getattr(module, "Arguments", flags.FitArguments), name)
    else:
        flags.parse(module.Arguments, arguments, prog=name)


def _without_missing_config(arguments):
    """Arguments without a `--config FILE` that a slow block before this one writes."""
    if "--config" in arguments:
        place = arguments.index("--config")
        if not pathlib.Path(arguments[place + 1]).exists():
            return [*arguments[:place], *arguments[place + 2 :]]
    return arguments


def _module(name):
    return importlib.import_module("tuning.command" if name == "sweep" else f"tfrec.commands.{name}")
