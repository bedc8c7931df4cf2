"""Names of splits and of classes, as people write them."""

import collections
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

# What lists and folders call the splits, in lower case.
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "validate", "dev", "development", "eval"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def split_of(name: str) -> str | None:
    """Finds the split that a name stands for, in any case.

    >>> split_of("Training"), split_of("dev"), split_of("cat")
    ('train', 'validation', None)

    Args:
        name: Of a folder, or a cell of a table.

    Returns:
        "train", "validation" or "test"; None for any other name.
    """
    return SPLITS.get(name.strip().lower())


def sort_classes(names: Iterable[str]) -> list[str]:
    """Sorts the names of classes: by their value where all are integers, else as text.

    >>> sort_classes({"10", "2", "1"}), sort_classes({"b", "a10", "a2"})
    (['1', '2', '10'], ['a10', 'a2', 'b'])

    Args:
        names: Each name once.

    Returns:
        The names, sorted.
    """
    names = list(names)
    if all(_INTEGER.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (len(name) > 30, 0 if len(name) > 30 else int(name), name))
    return sorted(names)


def class_name(name: str) -> str:
    """The name of a class, by a folder or a cell: without white space around it, its letters composed (Unicode's NFC).

    macOS decomposes the letters of file names, so that names that look the same differ.

    >>> class_name("cafe\u0301 ") == "caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name).strip() or name


def notes(classes: Sequence[str]) -> Iterator[str]:
    """Describes names of classes that are probably mistakes.

    >>> list(notes(["Cat", "cat", "dog"]))
    ["The classes 'Cat' and 'cat' differ in case only: make them one if they are the same."]

    Args:
        classes: The names.

    Yields:
        Sentences.
    """
    for key, what in ((str.casefold, "differ in case only"), (_value, "are the same number")):
        alike = collections.defaultdict(list)
        for name in classes:
            alike[key(name)].append(name)
        for same in alike.values():
            if len(same) > 1:
                quoted = " and ".join(map(repr, same))
                yield f"The classes {quoted} {what}: make them one if they are the same."
    for name in classes:
        if name.casefold() in ("nan", "null", "n/a"):
            yield f"The class {name!r} looks like a missing value: remove these examples if it is one."


def _value(name: str) -> float | str:
    """The number that a name stands for, or the name."""
    try:
        value = float(name)
    except ValueError:
        return name
    return value if value == value else name
