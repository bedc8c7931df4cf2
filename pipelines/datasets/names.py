"""Names of splits and of classes, as people write them."""

import re
from collections.abc import Iterable

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
