"""Tables as CSV in which texts stay texts, in spreadsheets too."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from pipelines import paths


def dumps(lines: Iterable[Iterable[Any]]) -> str:
    """Writes lines of cells.

    Args:
        lines: numbers, texts and None, which is an empty cell.

    Returns:
        The file's text.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(paths.cell, line) for line in lines)
    return text.getvalue()
