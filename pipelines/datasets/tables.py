"""Tables with named columns: CSV with any usual delimiter, JSON lines, and lists in JSON."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from pipelines import paths
from pipelines.datasets import columns, text_files
from pipelines.errors import UserError

DELIMITED = (".csv", ".tsv", ".txt")
JSON = (".jsonl", ".ndjson", ".json")
DELIMITERS = (",", ";", "\t", "|")
MAX_CELL = 1_000_000  # characters

CheckColumns = Callable[[str, Sequence[str]], None]  # takes (where, names of columns)
Line = tuple[str, dict[str, Any]]  # (file and line number, column -> cell)


def suffix_of(path: str) -> str:
    """The ending of a table's name in lower case, without that of gzip."""
    return os.path.splitext(path.lower().removesuffix(".gz"))[1]


def read(path: str, check_columns: CheckColumns) -> Iterator[Line]:
    """Reads the lines of a table that are not blank.

    Args:
        path: A `.csv`, `.tsv` or `.txt` file with a header line, whose delimiter is found there (comma, semicolon, tab
            or vertical bar); or `.jsonl`, `.ndjson` or `.json` with an object per line, or a list of objects. See
            `text_files.read` for encodings.
        check_columns: Called with the columns of the header, or of every object, in their order, duplicates included;
            raises UserError.

    Yields:
        (file and number of the line where it begins, column -> cell). Cells of JSON are text where they are text,
        numbers, or null (""); true, false, lists and objects stay what they are.

    Raises:
        UserError: The file cannot be read, or a line is malformed.
    """
    suffix = suffix_of(path)
    if suffix not in DELIMITED + JSON:
        known = " ".join(DELIMITED + JSON)
        raise UserError(f"{paths.shown(path)} is not a manifest that is read: it must end in one of {known}.")
    text = text_files.read(path, "data.path")
    yield from (_delimited if suffix in DELIMITED else _json)(paths.shown(path), text, check_columns)


def json_objects(where: str, text: str) -> Iterator[tuple[str, Any]]:
    """Reads the objects of JSON lines, or of a list of objects.

    Args:
        where: The file; only one that ends in .json is a list where it begins with "[".
        text: What it holds.

    Yields:
        (file and number of the line where it begins, a list of (key, value) pairs, since a key may be there twice; the
        objects in it are such lists of class `Pairs`).

    Raises:
        UserError: Something is not JSON, or not an object.
    """
    is_list = suffix_of(where) == ".json" and text.lstrip().startswith("[")
    for number, value in (_list_items if is_list else _lines)(where, text):
        if not isinstance(value, Pairs):
            kind = "item" if is_list else "line"
            raise UserError(
                f'{where}:{number}: every {kind} must be a JSON object such as {{"path": ..., "label": ...}}.'
            )
        yield f"{where}:{number}", value


class Pairs(list):
    """An object of JSON as its (key, value) pairs."""


_SPACE = re.compile(r"\s*")
_DECODER = json.JSONDecoder(object_pairs_hook=Pairs)


def _delimited(path: str, text: str, check_columns: CheckColumns) -> Iterator[Line]:
    csv.field_size_limit(MAX_CELL)
    delimiter = _delimiter(text)
    # Tables with tabs, such as Common Voice's, have quotation marks as text.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    skip = delimiter != "\t"
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True, skipinitialspace=skip
    )
    begin = 1
    try:
        header = [cell.strip() for cell in next(reader, [])]
        while header and not header[-1]:  # delimiters that a spreadsheet leaves at the end of every line
            header.pop()
        check_columns(f"{path}:1", [name for name in header if name])
        begin = reader.line_num + 1
        for cells in reader:
            where, begin = f"{path}:{begin}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if len(cells) != len(header):
                raise UserError(f"{where}: {len(cells)} cells, but the header names {len(header)} columns.")
            yield where, {name: cell for name, cell in zip(header, cells, strict=True) if name}
    except csv.Error as error:
        hint = "" if delimiter == "\t" else "; a quotation mark that is text must be doubled, in a quoted cell"
        raise UserError(f"{path}:{begin}: not CSV: {error}{hint}.") from error


def _delimiter(text: str) -> str:
    """The delimiter that makes most known columns, or else most columns, of the header."""
    header = text.split("\n", 1)[0]

    def columns_of(delimiter: str) -> tuple[int, int]:
        names = [name.strip().strip('"') for name in header.split(delimiter)]
        return len(columns.resolve(names)), len(names)

    return max(DELIMITERS, key=columns_of)


def _json(path: str, text: str, check_columns: CheckColumns) -> Iterator[Line]:
    for where, pairs in json_objects(path, text):
        check_columns(where, [key for key, _ in pairs])
        yield where, {key: cell(value) for key, value in pairs}


def cell(value: Any) -> Any:
    """Text of text, numbers and null; the path of Hugging Face's `{"path": ..., "bytes": null}`."""
    if isinstance(value, Pairs):
        value = dict(value)
        return value["path"] if isinstance(value.get("path"), str) else value
    if value is None:
        return ""
    return value if isinstance(value, (list, bool)) else str(value)


def _lines(where: str, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line, object_pairs_hook=Pairs)
            except (ValueError, RecursionError) as error:  # ValueError: a number with too many digits too
                raise UserError(f"{where}:{number}: not JSON: {error}.") from error


def _list_items(where: str, text: str) -> Iterator[tuple[int, Any]]:
    """(line number, item) of the items of a list."""
    number, counted = 1, 0
    place = _skip_space(text, text.index("[") + 1)
    while text[place : place + 1] != "]":
        number, counted = number + text.count("\n", counted, place), place
        try:
            value, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}:{number}: not JSON: {error}.") from error
        yield number, value
        place = _skip_space(text, place)
        if text[place : place + 1] == ",":
            place = _skip_space(text, place + 1)
        elif text[place : place + 1] != "]":
            raise UserError(f"{where}:{number}: not JSON: a comma or ] must follow this item.")


def _skip_space(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing, too
