"""Plain values to dataclasses, with errors that name the path: what `from_dict` and the flags share."""

import contextlib
import dataclasses
import difflib
import numbers
import os
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import cattrs
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from pipelines.errors import UserError, unknown

T = TypeVar("T")


class _MisfitError(ValueError):
    """A value that its field does not take: `rule` says what it must be, `index` where it is in a tuple."""

    def __init__(self, rule: str, received: object, index: str = "") -> None:
        super().__init__(f"{rule}. Received: {received!r}")
        self.rule, self.received, self.index = rule, received, index


def structure(values: Mapping[str, Any], kind: type[T], path: str = "") -> T:
    """Builds an instance of a dataclass, and of the dataclasses in its fields, from nested mappings.

    Whole numbers are accepted as floats, floats without a fraction as integers, lists as tuples, paths as strings.

    Args:
        values: the fields by name; a field that is missing has its default.
        kind: the dataclass, or a generic dataclass with its arguments, such as `Config[Data, Frontend, Model, Task]`.
        path: dotted name of the instance, for errors.

    Raises:
        UserError: an unknown key, or a value of the wrong type or out of range.
    """
    try:
        return _CONVERTER.structure(values, kind)
    except ClassValidationError as error:
        place, cause = _first_cause(error, (path,) if path else ())
        raise _user_error(place, cause, values, path) from cause


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings with dotted names as nested dicts.

    >>> nested({"fit.epochs": 3, "fit": {"batch_size": 8}, "seed": 1})
    {'fit': {'epochs': 3, 'batch_size': 8}, 'seed': 1}
    """
    result: dict[str, Any] = {}
    for key, value in settings.items():
        *outer, last = str(key).split(".")
        inner = {last: nested(value) if isinstance(value, Mapping) else value}
        for name in reversed(outer):
            inner = {name: inner}
        result = merge(result, inner)
    return result


def merge(values: Mapping[str, Any], changes: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Returns nested mappings with changes over them; raises UserError where a change replaces a mapping by a value.

    >>> merge({"fit": {"epochs": 3, "average": 0.0}}, {"fit": {"epochs": 5}})
    {'fit': {'epochs': 5, 'average': 0.0}}
    """
    result = dict(values)
    for key, change in changes.items():
        if isinstance(result.get(key), Mapping):
            require_mapping(f"{path}{key}", change)
            change = merge(result[key], change, f"{path}{key}.")
        result[key] = change
    return result


def require_mapping(name: str, value: object) -> None:
    """Raises UserError for anything but a mapping."""
    if not isinstance(value, Mapping):
        raise UserError(f"{name} must be a mapping of settings. Received: {value!r}")


def dotted_names(values: Mapping[str, Any], path: str = "") -> list[str]:
    """Returns the dotted name of every value in nested mappings.

    >>> dotted_names({"fit": {"epochs": 3}, "seed": 0})
    ['fit.epochs', 'seed']
    """
    names = []
    for key, value in values.items():
        names += dotted_names(value, f"{path}{key}.") if isinstance(value, Mapping) else [f"{path}{key}"]
    return names


def unknown_setting(kind: str, received: str, known: list[str], siblings: list[str]) -> UserError:
    """Returns the error for the name of a setting that does not exist, with the nearest names.

    Args:
        kind: "key" or "flag".
        received: the dotted name.
        known: dotted names of all settings.
        siblings: names at the same level, which are listed where no name is near.
    """
    names = list(dict.fromkeys([*siblings, *known]))
    near = difflib.get_close_matches(received, names, n=1, cutoff=0.9)
    near = near or difflib.get_close_matches(received, names, n=3, cutoff=0.6)
    return unknown(kind, received, near or siblings)


def _first_cause(error: BaseException, place: tuple[str, ...]) -> tuple[tuple[str, ...], BaseException]:
    """The path to the first field that failed, and its own error."""
    while isinstance(error, ClassValidationError):
        in_fields, others = error.group_exceptions()
        if in_fields:
            error, note = in_fields[0]
            place = (*place, note.name)
        else:
            error = others[0]
    return place, error


def _user_error(place: tuple[str, ...], cause: BaseException, values: Mapping[str, Any], path: str) -> UserError:
    name = ".".join(place)
    if isinstance(cause, _MisfitError):
        return UserError(f"{name}{cause.index} {cause}")
    if isinstance(cause, ForbiddenExtraKeysError):
        return _unknown_key("".join(f"{part}." for part in place), cause, dotted_names(values, path and f"{path}."))
    if isinstance(cause, KeyError):
        return UserError(f"{name} is missing.")
    # Of a dataclass's own check, which names the field as one of the part that it is in.
    part, _, inner = name.partition(".")
    return UserError(str(cause).replace(f"{part}.", f"{name}.", 1) if inner else str(cause))


def _unknown_key(section: str, cause: ForbiddenExtraKeysError, names: list[str]) -> UserError:
    extra = [f"{section}{key}" for key in sorted(cause.extra_fields)]
    wrong = [name for name in names if any(name == key or name.startswith(f"{key}.") for key in extra)]
    siblings = [f"{section}{field.name}" for field in dataclasses.fields(typing.get_origin(cause.cl) or cause.cl)]
    known = [name for name in names if name not in wrong]
    return unknown_setting("key", (wrong or extra)[0], known, siblings)


def _whole_number(value: Any, _: Any) -> int:
    if _is_number(value) and (isinstance(value, numbers.Integral) or float(value).is_integer()):
        return int(value)
    raise _MisfitError("must be a whole number", value)


def _number(value: Any, _: Any) -> float:
    if _is_number(value):
        with contextlib.suppress(OverflowError):
            return float(value)
    raise _MisfitError("must be a number", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _truth(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _MisfitError("must be true or false", value)


def _text(value: Any, _: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise _MisfitError("must be a string", value)


def _choice(value: Any, kind: Any) -> Any:
    choices = typing.get_args(kind)
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    listed = ", ".join(map(repr, choices))
    raise _MisfitError(f"must be one of {listed}" if len(choices) > 1 else f"must be {listed}", value)


def _tuple(value: Any, kind: Any) -> tuple[Any, ...]:
    kinds = typing.get_args(kind)
    if not isinstance(value, list | tuple):
        raise _MisfitError("must be a list", value)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    elif len(value) != len(kinds):
        raise _MisfitError(f"must be a list of {len(kinds)} values", value)
    items = []
    for i, (item, item_kind) in enumerate(zip(value, kinds, strict=True)):
        try:
            items.append(_CONVERTER.structure(item, item_kind))
        except _MisfitError as error:
            raise _MisfitError(error.rule, error.received, f"[{i}]") from None
    return tuple(items)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind, hook in {int: _whole_number, float: _number, bool: _truth, str: _text}.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_literal, _choice)
    converter.register_structure_hook_func(_is_tuple, _tuple)
    return converter


def _is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is Literal


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


_CONVERTER = _converter()
