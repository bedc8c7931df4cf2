"""Numbers in JSON as short as they are."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGITS = 15  # of a double, all of which a decimal number keeps


def shorten(value: Any) -> Any:
    """Returns a value of JSON with its numbers rounded to the digits that they have.

    A number that is exactly a float32, as networks and metrics give them, has the shortest digits that name this
    float32. Other numbers have 15 digits, so that sums of decimal numbers show no rounding errors.

    >>> shorten({"a": [0.1 + 0.2, float(np.float32(0.987)), 3], "b": None})
    {'a': [0.3, 0.987, 3], 'b': None}

    Args:
        value: dicts, lists and tuples, to any depth, of numbers, strings and None; NumPy's numbers are converted.
    """
    if isinstance(value, Mapping):
        return {key: shorten(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shorten(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, float) or value == 0:
        return value
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else float(f"{value:.{DIGITS}g}")


def dumps(value: Any, indent: int | None = 2) -> str:
    """Writes a value as JSON, with its numbers as `shorten` rounds them."""
    return json.dumps(shorten(value), indent=indent, ensure_ascii=False)
