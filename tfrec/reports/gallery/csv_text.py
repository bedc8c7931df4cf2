"""Tables as CSV in which texts stay texts, in spreadsheets too."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
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


def of_records(names: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """Writes a line with names, and one with the values of each record under these names.

    Args:
        names: of the columns.
        records: what they lack is an empty cell.

    Returns:
        The file's text.

    Raises:
        ValueError: for a record with another name.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: paths.cell(value) for name, value in record.items()} for record in records)
    return text.getvalue()
