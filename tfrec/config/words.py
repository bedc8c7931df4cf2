"""The words of a command line to plain values, by the types of a dataclass's fields.

A word that begins with two dashes is a flag, any other word a value: `--data.only_classes -5dB 0dB` names two classes.
A value that begins with two dashes follows an equals sign: `--data.only_classes=--quiet 0dB`. After `--` all words are
values. Hyphens in a flag's name count as underscores. Of a flag that is given twice, the last counts.
`--fit.jit_compile` and `--fit.no_jit_compile` switch a setting on and off. The word `None` is None where a field can be
None, and a string where a field takes only strings.
"""

import dataclasses
import itertools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import tyro

from pipelines.errors import UserError
from tfrec.config.structure import unknown_setting

_POSITIONAL = typing.get_args(tyro.conf.Positional[int])[1]  # tyro's mark of a field that words give by their place


@dataclasses.dataclass(frozen=True)
class Field:
    """A setting: its dotted name, its type without annotations, and whether a word gives it by its place."""

    name: str
    kind: Any
    positional: bool = False
    required: bool = False


@dataclasses.dataclass(frozen=True)
class Option:
    """A flag as it was given: its name with underscores, what follows an equals sign, and the words after it."""

    name: str
    inline: str | None
    following: tuple[str, ...]

    @property
    def values(self) -> list[str]:
        """All words that may be values of the flag."""
        return [*([] if self.inline is None else [self.inline]), *self.following]


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """The words before the first flag, the flags with what follows each, and the words after `--`."""

    loose: tuple[str, ...]
    options: tuple[Option, ...]
    rest: tuple[str, ...] = ()

    @classmethod
    def read(cls, words: Sequence[str]) -> "CommandLine":
        """Divides words; flags need not be known."""
        end = words.index("--") if "--" in words else len(words)
        starts = [place for place, word in enumerate(words[:end]) if is_flag(word)]
        options = []
        for start, stop in itertools.pairwise([*starts, end]):
            flag, equals, value = words[start].partition("=")
            options.append(Option(field_name(flag), value if equals else None, tuple(words[start + 1 : stop])))
        return cls(tuple(words[: [*starts, end][0]]), tuple(options), tuple(words[end + 1 :]))

    @property
    def asks_for_help(self) -> bool:
        """Whether `--help` or `-h` is among the flags."""
        return any(option.name in ("help", "h") for option in self.options)

    def last(self, *names: str) -> Option | None:
        """Returns the last flag with one of the names; None without one."""
        return next((option for option in reversed(self.options) if option.name in names), None)

    def text(self, name: str) -> str | None:
        """Returns the value of the last flag of a name, whatever its type; None without one."""
        option = self.last(name)
        return option.values[0] if option and option.values else None

    def values(self, fields: Sequence[Field]) -> dict[str, Any]:
        """Returns {dotted name: value}; a word that is no value of the field's type stays a string.

        Raises:
            UserError: a flag that no field has, a missing value or argument, or a word that nothing takes.
        """
        flags = {field.name: field for field in fields if not field.positional}
        result: dict[str, Any] = {}
        loose = [(word, "") for word in self.loose]
        for option in self.options:
            field = flags.get(option.name)
            if field is None:
                field = flags.get(_switched_on(option.name))
                if field is None or field.kind is not bool or option.inline is not None:
                    raise _unknown_flag(option.name, list(flags))
                result[field.name], left = False, option.values
            else:
                result[field.name], left = _take(field, option)
            loose += [(word, f" after --{option.name}") for word in left]
        loose += [(word, "") for word in self.rest]
        return result | _arguments(loose, [field for field in fields if field.positional])


def is_flag(word: str) -> bool:
    """Whether a word is a flag and not a value."""
    return word == "-h" or word.startswith("--")


def field_name(flag: str) -> str:
    """Returns the name of the field that a flag sets.

    >>> field_name("--fit.learning-rate")
    'fit.learning_rate'
    """
    return flag.lstrip("-").replace("-", "_")


def fields_of(kind: Any, prefix: str = "") -> list[Field]:
    """Returns the settings of a dataclass and of those in it; a generic one has its arguments, or else the bounds."""
    origin = typing.get_origin(kind) or kind
    arguments: Mapping[Any, Any] = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    hints = typing.get_type_hints(origin, include_extras=True)
    result = []
    for field in dataclasses.fields(origin):
        hint, marks = hints[field.name], []
        if typing.get_origin(hint) is typing.Annotated:
            hint, *marks = typing.get_args(hint)
        if isinstance(hint, TypeVar):
            hint = arguments.get(hint, hint.__bound__)
        if dataclasses.is_dataclass(typing.get_origin(hint) or hint):
            result += fields_of(hint, f"{prefix}{field.name}.")
        else:
            required = field.default is dataclasses.MISSING
            result.append(Field(f"{prefix}{field.name}", hint, _POSITIONAL in marks, required))
    return result


def _take(field: Field, option: Option) -> tuple[Any, list[str]]:
    """The value that a flag gives, and the words after it that are left."""
    if field.kind is bool:
        return True if option.inline is None else _typed(option.inline, bool), list(option.following)
    words, kind = option.values, _not_none(field.kind)
    if typing.get_origin(kind) is not tuple:
        if not words:
            raise UserError(f"--{field.name} needs a value; see --help.")
        return _typed(words[0], field.kind), words[1:]
    if words == ["None"] and kind is not field.kind:
        return None, []
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        return [_typed(word, kinds[0]) for word in words], []
    return [_typed(*pair) for pair in zip(words, kinds, strict=False)], words[len(kinds) :]


def _arguments(loose: list[tuple[str, str]], fields: list[Field]) -> dict[str, Any]:
    """The fields that loose words give by their place."""
    result: dict[str, Any] = {}
    for field in fields:
        if typing.get_origin(field.kind) is tuple:
            result[field.name] = [_typed(word, typing.get_args(field.kind)[0]) for word, _ in loose]
            loose = []
        elif loose:
            result[field.name] = _typed(loose.pop(0)[0], field.kind)
        elif field.required:
            raise UserError(f"Missing argument {field.name.upper()}; see --help.")
    if loose:
        word, where = loose[0]
        raise UserError(f"Unexpected argument {word!r}{where}: flags look like --fit.epochs 5; see --help.")
    return result


def _typed(word: str, kind: Any) -> Any:
    """The value of a type that a word stands for; the word itself where it stands for none."""
    plain = _not_none(kind)
    if word == "None" and plain is not kind:
        return None
    if plain is bool:
        return {"true": True, "false": False}.get(word.lower(), word)
    if plain in (int, float):
        try:
            return plain(word)
        except ValueError:
            return word
    choices = typing.get_args(plain) if typing.get_origin(plain) is Literal else ()
    return next((choice for choice in choices if str(choice) == word), word)


def _not_none(kind: Any) -> Any:
    """The type X of `X | None`; another type as it is."""
    if typing.get_origin(kind) not in (types.UnionType, typing.Union):
        return kind
    others = [other for other in typing.get_args(kind) if other is not types.NoneType]
    return others[0] if len(others) == 1 else kind


def _switched_on(name: str) -> str:
    """The name of the switch that `--no_NAME` or `--section.no_NAME` turns off."""
    section, _, last = name.rpartition(".")
    return f"{section}.{last.removeprefix('no_')}" if section else last.removeprefix("no_")


def _unknown_flag(name: str, known: list[str]) -> UserError:
    section = [other for other in known if other.rpartition(".")[0] == name.rpartition(".")[0]]
    flags, siblings = ([f"--{other}" for other in names] for names in (known, section or known))
    return unknown_setting("flag", f"--{name}", flags, siblings)
