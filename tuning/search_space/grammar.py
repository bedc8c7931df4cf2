"""The notation of a search space.

A parameter is a flag of `tfrec fit` in one of the sections model, frontend, task and fit. It is written NAME=VALUES,
after `--set` on the command line, or one per line of the file of `--space`, where # begins a comment:

    model.name=cnn,mlp               one of these; commas separate them, and spaces the parts of one value
    fit.learning_rate=1e-4..1e-2:log any number in between, uniform in its logarithm
    model.width=16..64:step=16       16, 32, 48, 64; integers where the flag takes only integers
    model.depth=1..4 if model.name=cnn    only where another parameter has one of these values

A parameter of `model` that only some of the architectures have is active for those, without a condition.
"""

import dataclasses
import math
import pathlib
import re
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipelines.errors import UserError, unknown
from tfrec import architectures
from tfrec.config.schema import Config
from tuning.search_space import conditions
from tuning.search_space.conditions import Conditions
from tuning.search_space.parameters import Parameter, to_flags

SECTIONS = ("model", "frontend", "task", "fit")
NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})((?::[^:]*)*)")
FORM = "NAME=VALUES such as fit.learning_rate=1e-4..1e-2:log or model.name=cnn,mlp"
# All trials of a sweep must have the same data, measure and cost limits.
NOT_SEARCHABLE = {
    "frontend.name": "it follows from the data",
    "task.name": "trials of another task cannot be compared",
    "fit.budget_minutes": "it is the cost limit of a trial and not a choice",
    "fit.checkpoint_minutes": "it does not change the result",
    "fit.accumulate_steps": "it decides how much memory a trial takes",
    "fit.strategy": "it decides where a trial runs",
    "fit.tensorboard": "it does not change the result",
}


def read(path: str | pathlib.Path) -> list[str]:
    """Reads the lines of a file of parameters, without comments.

    Raises:
        UserError: If the file cannot be read, is not text, or has no lines.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise UserError(f"Cannot read the space {path}: {reason}.") from None
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    if not any(lines):
        raise UserError(f"The space {path} is empty: give it lines of the form {FORM}.")
    return [line for line in lines if line]


def parse(lines: Iterable[str], config: Config) -> tuple[Parameter, ...]:
    """Parses lines of the form NAME=VALUES.

    Args:
        lines: The parameters, in any order.
        config: The configuration that the sweep starts from.

    Returns:
        The parameters, each after those that it depends on.

    Raises:
        UserError: If a line has another form, a parameter is unknown, a range is empty, or a condition never holds.
    """
    lines_by_name: dict[str, list[tuple[str, Conditions, str]]] = {}
    for line in lines:
        name, values, required = _split(line)
        lines_by_name.setdefault(name, []).append((values, required, line))
    models = {config.model.name: config.model}
    if "model.name" in lines_by_name:
        (values, _, line), *_ = lines_by_name["model.name"]
        models = {name: _model_config(name, config) for name in _choices("model.name", values, line)}
    parameters = [
        _parameter(name, values, required, line, config, models)
        for name, alternatives in lines_by_name.items()
        for values, required, line in alternatives
    ]
    conditions.require_exclusive(parameters)
    return conditions.sort_parents_first(parameters)


def _split(line: str) -> tuple[str, str, Conditions]:
    """NAME=VALUES if NAME=VALUE,... and ... -> (name, values, conditions)."""
    body, _, condition = line.partition(" if ")
    name, equals, values = (part.strip() for part in body.partition("="))
    if not (name and equals and values):
        raise UserError(f"Cannot read the parameter {line!r}: write {FORM}.")
    required: dict[str, tuple[str, ...]] = {}
    for part in re.split(r"\s+and\s+", condition.strip()) if condition.strip() else ():
        parent, equals, allowed = (piece.strip() for piece in part.partition("="))
        if not (parent and equals and allowed):
            raise UserError(f"Cannot read the condition of {line!r}: write {name}={values} if model.name=cnn,mlp.")
        parent = parent.removeprefix("--")
        if parent in required:
            raise UserError(f"{line!r} names {parent} twice: write {parent}=ONE,OTHER for either of several values.")
        required[parent] = tuple(value.strip() for value in allowed.split(","))
    return name.removeprefix("--"), values, tuple(required.items())


def _model_config(name: str, config: Config) -> Any:
    return config.model if name == config.model.name else architectures.default_config(name)


def _parameter(
    name: str, values: str, required: Conditions, line: str, config: Config, models: Mapping[str, Any]
) -> Parameter:
    """Builds the Parameter of one line; `models` are the configurations of the architectures to choose from."""
    section, _, field = name.partition(".")
    if section not in SECTIONS or name in NOT_SEARCHABLE:
        rule = f"only flags of {', '.join(SECTIONS[:-1])} and {SECTIONS[-1]} can be"
        raise UserError(f"{name} cannot be searched: {NOT_SEARCHABLE.get(name, rule)}.")
    holders = dict(models) if section == "model" else {"": getattr(config, section)}
    owners = {key: holder for key, holder in holders.items() if field in _fields(holder)}
    if not owners:
        known = [f"{section}.{other}" for holder in holders.values() for other in _fields(holder)]
        raise unknown("parameter", name, known)
    if section == "model":
        required = _model_conditions(name, required, line, holders, owners)
    start = getattr(config, section)
    kinds = _types(typing.get_type_hints(type(next(iter(owners.values()))))[field])
    options: dict[str, Any]
    if (match := RANGE.fullmatch(values)) is not None:
        low, high, suffixes = match.groups()
        options = _range(low, high, suffixes, kinds, name, line)
    elif ".." in values and {int, float} & set(kinds):
        raise UserError(f"Cannot read the range in {line!r}: write {name}=LOW..HIGH, then :log or :step=SIZE.")
    else:
        options = {"choices": _choices(name, values, line, is_switch=bool in kinds)}
    default = getattr(start, field) if field in _fields(start) else None
    return Parameter(name=name, conditions=required, default=default, **options)


def _model_conditions(
    name: str, required: Conditions, line: str, holders: Collection[str], owners: Collection[str]
) -> Conditions:
    """Restricts a parameter of `model` to the architectures that have it."""
    names = dict(required).get("model.name")
    if names is None:
        return (*required, ("model.name", tuple(owners))) if len(owners) < len(holders) else required
    for model in names:
        if model in holders and model not in owners:
            raise UserError(f"{model} has no {name}: leave it out of the condition of {line!r}.")
    return required


def _fields(config: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(config)]


def _types(hint: Any) -> tuple[Any, ...]:
    """The types that a field accepts: those of a union, or the type itself."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _choices(name: str, values: str, line: str, is_switch: bool = False) -> tuple[str, ...]:
    choices = tuple(" ".join(value.split()) for value in values.split(","))
    choices = tuple(choice.lower() for choice in choices) if is_switch else choices
    if "" in choices or len(set(choices)) < len(choices):
        raise UserError(f"{line!r} must name each of its values once.")
    if len(choices) < 2:
        raise UserError(f"{line!r} leaves nothing to choose: give {' '.join(to_flags({name: choices[0]}))}.")
    if is_switch and set(choices) != {"true", "false"}:
        raise UserError(f"{line!r} is a switch: write true,false.")
    return choices


def _range(low: str, high: str, suffixes: str, kinds: Collection[Any], name: str, line: str) -> dict[str, Any]:
    """Converts the bounds and suffixes of a range to fields of a Parameter."""
    if not {int, float} & set(kinds):
        raise UserError(f"{name} is not a number, so {line!r} cannot be a range: name its values, with commas.")
    result: dict[str, Any] = {"low": float(low), "high": float(high), "is_integer": float not in kinds}
    for suffix in filter(None, suffixes.split(":")):
        if suffix == "log":
            result["log"] = True
        elif (size := re.fullmatch(rf"step=({NUMBER})", suffix)) is not None:
            result["step"] = float(size[1])
        else:
            raise UserError(f"Do not know {suffix!r} in {line!r}: a range may end with :log and :step=SIZE.")
    _require_values(result, name, line)
    return result


def _require_values(options: dict[str, Any], name: str, line: str) -> None:
    """Raises a UserError for a range without values, or with values that the flag does not take."""
    low, high, step, is_log = options["low"], options["high"], options.get("step"), options.get("log", False)
    if math.isinf(low) or math.isinf(high):
        raise UserError(f"The range in {line!r} is infinite: write smaller numbers.")
    if options["is_integer"] and any(value % 1 for value in (low, high, step or 0)):
        raise UserError(f"{name} takes only integers, but {line!r} has other numbers.")
    if not low < high:
        raise UserError(f"The range in {line!r} is empty: the first number must be below the second.")
    if is_log and low <= 0:
        raise UserError(f"The range in {line!r} has no logarithm: it must begin above 0.")
    minimum, span = (1, high / low) if is_log else (0, high - low)
    if step is not None and not minimum < step <= span:
        raise UserError(
            f"The step in {line!r} leaves nothing to choose: it must be above {minimum} and at most {span:g}."
        )
