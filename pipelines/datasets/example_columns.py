"""What is known of each example by name: its speaker, noise or accent, and any further column of a list of files."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from pipelines.datasets.base import Split
from pipelines.errors import UserError, unknown

NONE = "(none)"  # the value of an example that has none
MAX_NUMBERS = 10  # a column with more different numbers is divided
PARTS = 4  # into this number of parts with equally many examples

Column = Sequence[str]


def names(split: Split) -> list[str]:
    """Lists the columns of a split: ours that are known, then those of its list of files."""
    return list(_columns(split))


def values(split: Split, name: str) -> list[str]:
    """Finds the value of each example in a column.

    Numbers, of which there are many different ones, are divided at their quartiles.

    Args:
        split: The examples.
        name: Name of the column, one of `names`.

    Returns:
        A text for each example, "(none)" where it has none.

    Raises:
        UserError: The split has no such column.
    """
    columns = _columns(split)
    if name not in columns:
        if not columns:
            raise UserError(f"The data has no column {name!r} and no other: list the files in a manifest with columns.")
        raise unknown("column of the data", name, list(columns))
    found = [value or NONE for value in columns[name]()]
    numbers = _numbers(found)
    return found if numbers is None or len(set(found)) <= MAX_NUMBERS else _parts(numbers)


def _columns(split: Split) -> dict[str, Callable[[], Column]]:
    """Name -> function that returns the values."""
    columns: dict[str, Callable[[], Column]] = {}
    rows, conditions = split.rows, split.conditions
    for name, known in (("speaker", split.speakers), ("group", split.groups)):
        if known is not None:
            columns[name] = lambda known=known: [str(value) for value in known]  # type: ignore[misc]
        elif rows is not None and any(getattr(row, name) for row in rows):
            columns[name] = lambda name=name: [getattr(row, name) for row in rows]  # type: ignore[misc]
    if conditions is not None:
        columns["noise"] = lambda: [noise or "" for noise, _ in conditions]
        columns["snr"] = lambda: ["clean" if np.isinf(ratio) else f"{ratio:g}" for _, ratio in conditions]
    if rows is not None:
        further = dict.fromkeys(name for row in rows for name, _ in row.further)
        for name in further:
            columns.setdefault(name, lambda name=name: [dict(row.further).get(name, "") for row in rows])  # type: ignore[misc]
    return columns


def _numbers(found: Sequence[str]) -> np.ndarray | None:
    """The values as numbers, NaN for a missing one; None where some value is a text."""
    try:
        return np.array([np.nan if value == NONE else float(value) for value in found])
    except ValueError:
        return None


def _parts(numbers: np.ndarray) -> list[str]:
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, PARTS + 1)))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(len(edges) - 2, 0))
    texts = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    return [NONE if np.isnan(number) else texts[i] for number, i in zip(numbers, place, strict=True)]
