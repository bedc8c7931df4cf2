"""Tables as CSV in which texts stay texts, in spreadsheets too."""

import csv
import io
from collections.abc import Iterable
from typing import Any

FORMULA_PREFIXES = ("=", "+", "-", "@")  # a cell that begins with one is a formula for spreadsheets


def dumps(lines: Iterable[Iterable[Any]]) -> str:
    """Writes lines of cells.

    Args:
        lines: numbers, texts and None, which is an empty cell.

    Returns:
        The file's text.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A value of which no spreadsheet makes a formula.

    >>> _cell("=1+1"), _cell("-3.5"), _cell(-3.5), _cell("- a")
    ("'=1+1", '-3.5', -3.5, "'- a")
    """
    if not isinstance(value, str) or not value.startswith(FORMULA_PREFIXES):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
