"""Tables with named columns: CSV and JSON lines."""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from pipelines.errors import UserError

CheckColumns = Callable[[str, Sequence[str]], None]  # takes (where, names of columns)
Line = tuple[str, dict[str, str]]  # (file and line number, column -> cell)


def read(path: str, check_columns: CheckColumns) -> Iterator[Line]:
    """Reads the lines of a table that are not blank.

    Args:
        path: A `.csv` file with a header line, or a `.jsonl` file with an object per line; UTF-8.
        check_columns: Called with the columns of the header, or of every object, in their order, duplicates included;
            raises UserError.

    Yields:
        (file and line number, column -> cell); the cells of JSON lines as text, null as "".

    Raises:
        UserError: The file cannot be read, or a line is malformed.
    """
    readers = {".csv": _csv, ".jsonl": _json_lines}
    reader = readers.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise UserError(f"{path} is not a manifest that is read: it must end in .csv or .jsonl.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from reader(path, file, check_columns)
    except OSError as error:
        raise UserError(f"data.path {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def _csv(path: str, file: TextIO, check_columns: CheckColumns) -> Iterator[Line]:
    reader = csv.reader(file, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        check_columns(f"{path}:1", header)
        for line in reader:
            where = f"{path}:{reader.line_num}"
            if not any(cell.strip() for cell in line):
                continue
            if len(line) != len(header):
                raise UserError(f"{where}: {len(line)} cells, but the header names {len(header)} columns.")
            yield where, dict(zip(header, line, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}.") from error


def _json_lines(path: str, file: TextIO, check_columns: CheckColumns) -> Iterator[Line]:
    for number, line in enumerate(file, 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            # A list of pairs, because a dict would drop a key that is there twice.
            pairs = json.loads(line, object_pairs_hook=list)
        except (ValueError, RecursionError) as error:  # ValueError: a number with too many digits too
            raise UserError(f"{where}: not JSON: {error}.") from error
        if line.lstrip()[0] != "{":
            raise UserError(f'{where}: every line must be a JSON object such as {{"path": ..., "label": ...}}.')
        check_columns(where, [key for key, _ in pairs])
        for key, value in pairs:
            if isinstance(value, (list, bool)):
                raise UserError(f"{where}: {key} must be text or a number. Received: {value!r}")
        yield where, {key: "" if value is None else str(value) for key, value in pairs}
