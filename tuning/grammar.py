"""How the space of a sweep is written.

A parameter is a flag of `tfrec.fit` in one of the sections model, frontend, task and fit. It is written NAME=VALUES, on
the command line behind `--set` or one on a line of the file of `--space`, where # begins a remark:

    model.name=cnn,mlp               one of these; commas divide them, and spaces what belongs to one
    fit.learning_rate=1e-4..1e-2:log any number between, evenly over its logarithm
    model.width=16..64:step=16       16, 32, 48, 64; whole numbers where the flag takes only those
    model.depth=1..4 if model.name=cnn    only where another parameter has one of these values

A parameter of `model` that only some of the architectures have counts for those alone, without having to say so.
"""

import dataclasses
import math
import pathlib
import re
import types
import typing

from pipelines.errors import UserError, unknown
from tfrec import architectures
from tuning.spaces import Parameter, words

SECTIONS = ("model", "frontend", "task", "fit")
NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})((?::[^:]*)*)")
FORM = "NAME=VALUES such as fit.learning_rate=1e-4..1e-2:log or model.name=cnn,mlp"
# Trials must be judged by the same measure, on the same data, by what they were told to train.
FIXED = {
    "frontend.name": "it follows from the data",
    "task.name": "trials of another task cannot be compared",
    "fit.budget_minutes": "it is the price of a trial and not a choice",
    "fit.strategy": "it decides where a trial runs",
    "fit.tensorboard": "it changes nothing of the outcome",
}


def read(path):
    """The lines of a file of parameters; UserError where it cannot be read or is empty."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"Cannot read the space {path}: {reason}.") from None
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    if not any(lines):
        raise UserError(f"The space {path} is empty: give it lines of the form {FORM}.")
    return [line for line in lines if line]


def parse(lines, config):
    """Lines NAME=VALUES -> Parameters, parents first; `config` is the configuration that the sweep starts from.

    UserError for another form, an unknown parameter, a range that is empty, a condition that can never hold.
    """
    written = {}
    for line in lines:
        name, values, conditions = _divide(line)
        written.setdefault(name, []).append((values, conditions, line))
    models = {config.model.name: config.model}
    if "model.name" in written:
        (values, _, line), *_ = written["model.name"]
        models = {name: _model(name, config) for name in _choices("model.name", values, line)}
    parameters = []
    for name, ways in written.items():
        for values, conditions, line in ways:
            parameters.append(_parameter(name, values, conditions, line, config, models))
    _require_distinct(parameters)
    return _parents_first(parameters)


def _divide(line):
    """NAME=VALUES if NAME=VALUE,... and ... -> (name, values, conditions)."""
    body, _, behind = line.partition(" if ")
    name, equals, values = (part.strip() for part in body.partition("="))
    if not (name and equals and values):
        raise UserError(f"Cannot read the parameter {line!r}: write {FORM}.")
    conditions = []
    for part in re.split(r"\s+and\s+", behind.strip()) if behind.strip() else ():
        parent, equals, wanted = (piece.strip() for piece in part.partition("="))
        if not (parent and equals and wanted):
            raise UserError(f"Cannot read the condition of {line!r}: write {name}={values} if model.name=cnn,mlp.")
        parent = parent.removeprefix("--")
        if parent in dict(conditions):
            raise UserError(f"{line!r} names {parent} twice: write {parent}=ONE,OTHER for either of several values.")
        conditions.append((parent, tuple(value.strip() for value in wanted.split(","))))
    return name.removeprefix("--"), values, tuple(conditions)


def _model(name, config):
    return config.model if name == config.model.name else architectures.default_config(name)


def _parameter(name, values, conditions, line, config, models):
    section, _, field = name.partition(".")
    if section not in SECTIONS or name in FIXED:
        reason = FIXED.get(name, f"only flags of {', '.join(SECTIONS[:-1])} and {SECTIONS[-1]} are")
        raise UserError(f"{name} is nothing to search in: {reason}.")
    holders = models if section == "model" else {None: getattr(config, section)}
    having = {key: holder for key, holder in holders.items() if field in _fields(holder)}
    if not having:
        raise unknown("parameter", name, [f"{section}.{other}" for one in holders.values() for other in _fields(one)])
    if section == "model" and len(having) < len(holders) and "model.name" not in dict(conditions):
        conditions = (*conditions, ("model.name", tuple(having)))
    for one in dict(conditions).get("model.name", ()) if section == "model" else ():
        if one in holders and one not in having:
            raise UserError(f"{one} has no {name}: leave it out of the condition of {line!r}.")
    hint = typing.get_type_hints(type(next(iter(having.values()))))[field]
    start = getattr(config, section)
    default = getattr(start, field) if field in _fields(start) else None
    shared = {"name": name, "conditions": conditions, "default": default}
    kinds = _kinds(hint)
    if (found := RANGE.fullmatch(values)) is None:
        if ".." in values and {int, float} & set(kinds):
            raise UserError(f"Cannot read the range in {line!r}: write {name}=LOW..HIGH, then :log or :step=SIZE.")
        return Parameter(choices=_choices(name, values, line, bool in kinds), **shared)
    return Parameter(**shared, **_range(*found.groups(), kinds, name, line))


def _fields(config):
    return [field.name for field in dataclasses.fields(config)]


def _kinds(hint):
    """The types that a field takes: those of a union, or itself."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _choices(name, values, line, switch=False):
    choices = tuple(" ".join(value.split()) for value in values.split(","))
    choices = tuple(choice.lower() for choice in choices) if switch else choices
    if "" in choices or len(set(choices)) < len(choices):
        raise UserError(f"{line!r} must name each of its values once.")
    if len(choices) < 2:
        raise UserError(f"{line!r} leaves nothing to choose: give {' '.join(words({name: choices[0]}))}.")
    if switch and set(choices) != {"true", "false"}:
        raise UserError(f"{line!r} is a switch: write true,false.")
    return choices


def _range(low, high, options, kinds, name, line):
    """The ends and options of a range -> the fields of a Parameter."""
    if not {int, float} & set(kinds):
        raise UserError(f"{name} is no number, so that {line!r} is no range for it: name its values, with commas.")
    found = {"low": float(low), "high": float(high), "whole": float not in kinds}
    for option in filter(None, options.split(":")):
        if option == "log":
            found["log"] = True
        elif (size := re.fullmatch(rf"step=({NUMBER})", option)) is not None:
            found["step"] = float(size[1])
        else:
            raise UserError(f"Do not know {option!r} in {line!r}: after a range come :log and :step=SIZE.")
    if math.isinf(found["low"]) or math.isinf(found["high"]):
        raise UserError(f"The range in {line!r} has no end: write smaller numbers.")
    if found["whole"] and any(found.get(key, 0) % 1 for key in ("low", "high", "step")):
        raise UserError(f"{name} takes only whole numbers, which {line!r} does not give.")
    if not found["low"] < found["high"]:
        raise UserError(f"The range in {line!r} is empty: the first number must be below the second.")
    if found.get("log") and found["low"] <= 0:
        raise UserError(f"The range in {line!r} has no logarithm: it must begin above 0.")
    step, least = found.get("step"), 1 if found.get("log") else 0
    span = found["high"] / found["low"] if found.get("log") else found["high"] - found["low"]
    if step is not None and not least < step <= span:
        raise UserError(
            f"The step in {line!r} leaves nothing to choose: it must be above {least} and at most {span:g}."
        )
    return found


def _require_distinct(parameters):
    """UserError where a name stands twice and both could count at once."""
    for i, one in enumerate(parameters):
        for other in parameters[:i]:
            if one.name == other.name and not _exclude(one, other):
                raise UserError(
                    f"{one.name} is given twice: say with `if` when each counts, so that never both do, or drop one."
                )


def _exclude(one, other):
    theirs = dict(other.conditions)
    return any(name in theirs and not set(values) & set(theirs[name]) for name, values in one.conditions)


def _parents_first(parameters):
    """The same with what others depend on before those; UserError for parents that are none."""
    names = {parameter.name for parameter in parameters}
    for parameter in parameters:
        for parent, wanted in parameter.conditions:
            if parent not in names:
                raise UserError(f"{parameter.name} counts only for some {parent}, which is no parameter: set it too.")
            parents = [one for one in parameters if one.name == parent]
            if len(parents) > 1 or not parents[0].choices:
                raise UserError(
                    f"{parameter.name} cannot depend on {parent}, which is a range or given twice: name all its values"
                    " on one line, with commas."
                )
            for value in wanted:
                if value not in parents[0].choices:
                    raise unknown(f"{parent} in the condition of {parameter.name}", value, parents[0].choices)
    ordered, waiting = [], list(parameters)
    while waiting:
        later = {parameter.name for parameter in waiting}
        ready = [one for one in waiting if not {parent for parent, _ in one.conditions} & later]
        if not ready:
            raise UserError(
                f"{waiting[0].name} and what it depends on depend on each other: drop one of the conditions."
            )
        ordered += ready
        waiting = [one for one in waiting if one not in ready]
    return tuple(ordered)
