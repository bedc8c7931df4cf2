"""The rows of manifests in all their forms, checked."""

import collections
import dataclasses
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines import paths, storage
from pipelines.counts import counted, share, verb
from pipelines.datasets import columns, files, kaldi, lhotse, tables, transcripts
from pipelines.datasets.names import SPLITS, class_name, split_of
from pipelines.errors import UserError, unknown

SPEECH_COLUMNS = ("path", "text", "start", "end", "speaker")  # of Kaldi's and Lhotse's lists
MAX_CELL = 100  # characters of a cell of a further column that is kept
MAX_GROUPS = 20  # different values of a column that breaks the scores down

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclasses.dataclass
class Listed:
    """What a manifest lists.

    Attributes:
        rows: One per example.
        notes: Sentences on what is not used, or there more than once.
        groups: Where of a row -> value of a further column with few values; empty without one.
    """

    rows: list[files.Row]
    notes: list[str]
    groups: dict[str, str]


def read(
    path: str,
    classes: Sequence[str] = (),
    split_by: str | None = None,
    may_miss: bool = False,
    unlabeled: bool = False,
) -> Listed:
    """Reads a manifest.

    Args:
        path: A table, see `tables.read`, Lhotse's cuts (a `.jsonl` or `.jsonl.gz` file), or a folder in Kaldi's form
            or with Hugging Face's `metadata.csv` or `metadata.jsonl`.
        classes: The labels that are allowed; empty allows any.
        split_by: "speaker" or "group", which then every row must have.
        may_miss: Whether files may be missing.
        unlabeled: Whether rows may have no label, text or number.

    Returns:
        The rows, in their order.

    Raises:
        UserError: With file and line, something is missing, unknown, empty or out of range.
    """
    path = _table_in(path)
    reader = RowReader(path, classes, split_by, unlabeled)
    if os.path.isdir(path):
        lines: Iterable[tables.Line] = kaldi.read(path)
        reader.check_columns(path, SPEECH_COLUMNS)
    elif lhotse.is_cuts(path):
        lines = lhotse.read(path)
        reader.check_columns(path, (*SPEECH_COLUMNS, "language"))
    else:
        lines = tables.read(path, reader.check_columns)
    rows = reader.with_durations([reader.row(where, cells) for where, cells in lines])
    if not may_miss:
        reader.check_files()
    notes, groups = reader.further_columns()
    return Listed(rows, [*reader.path_notes(), *notes, *_duplicates(path, rows)], groups)


def _table_in(path: str) -> str:
    """The manifest in a folder: Hugging Face's, or the folder itself where it has Kaldi's form."""
    if not os.path.isdir(path):
        return path
    for name in ("metadata.csv", "metadata.jsonl"):
        if os.path.isfile(os.path.join(path, name)):
            return os.path.join(path, name)
    if os.path.isfile(os.path.join(path, "wav.scp")):
        return path
    raise UserError(
        f"data.path {paths.shown(path)} is a folder with neither Kaldi's wav.scp nor metadata.csv: it must be a file"
        " that lists paths; for a folder with a sub-folder per class, set data.name to folder."
    )


class RowReader:
    """Turns lines of a table into rows, and remembers what it has not used.

    Args:
        path: Of the table; paths in it start from its folder.
        classes: As `read` takes it.
        split_by: As `read` takes it.
        unlabeled: As `read` takes it.
    """

    def __init__(self, path: str, classes: Sequence[str], split_by: str | None, unlabeled: bool) -> None:
        self.path, self.classes, self.split_by, self.unlabeled = path, classes, split_by, unlabeled
        self.folder = path if os.path.isdir(path) else os.path.dirname(path)
        self.names: dict[str, str] = {}  # ours -> the table's, of the last line
        self.further: dict[str, dict[str, str]] = {}  # column -> where -> cell
        self.durations: dict[str, float] = {}  # where -> seconds, of rows without a start
        self.cut_files: set[str] = set()  # files of which some row takes a piece
        self.missing: list[str] = []  # a sentence for each row without its file
        self.lines = self.from_working_folder = 0

    def check_columns(self, where: str, names: Sequence[str]) -> None:
        """UserError unless the columns name a file and what it is labeled with, each once."""
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"{where}: the column {name!r} is there twice.")
        self.names = columns.resolve(names)
        others = [name for name in names if name not in self.names.values()]
        has = f"; it has {columns.quoted(others)}" if others else ""
        if "path" not in self.names:
            raise UserError(
                f"{where}: the column 'path' is missing{has}. A table must begin with the names of its columns."
            )
        if not self.unlabeled and not {"label", "text", "number"} & set(self.names):
            raise UserError(
                f"{where}: one of the columns 'label' (for classification), 'text' (for transcription) and 'number' "
                f"(for regression) is needed{has}."
            )
        labeled = [name for name in ("label", "text") if name in self.names]
        if "number" in self.names and labeled:
            raise UserError(f"{where}: number and {labeled[0]} exclude each other: leave one of them out.")

    def row(self, where: str, cells: Mapping[str, Any]) -> files.Row:
        """One line of the manifest, checked."""
        self.lines += 1
        own = {ours: self._text(where, name, cells[name]) for ours, name in self.names.items() if name in cells}
        further = {name: str(cells[name]).strip() for name in cells if name not in self.names.values()}
        for name, cell in further.items():
            self.further.setdefault(name, {})[where] = cell
        for key in ("path",) if self.unlabeled else ("path", "label", "number"):
            if not own.get(key, "-"):
                raise UserError(f"{where}: {key} is empty.")
        text = transcripts.clean(where, " ".join(own["text"].splitlines())) if "text" in own else ""
        if own.get("label") and not self.classes:
            own["label"] = class_name(own["label"])
        if self.classes and own.get("label") not in (None, *([""] if self.unlabeled else []), *self.classes):
            error = unknown("label", own["label"], self.classes)
            raise UserError(f"{where}: {error}") from error
        split = own.get("split", "")
        if split and not split_of(split):
            error = unknown("split", split, SPLITS)
            raise UserError(f"{where}: {error}") from error
        if self.split_by and not own.get(self.split_by):
            raise UserError(f"{where}: {self.split_by} is empty, but data.split_by is {self.split_by!r}.")
        path = self._file(where, own["path"])
        start, end = self._segment(where, path, own)
        return files.Row(
            path,
            label=own.get("label", ""),
            split=split_of(split) or "",
            group=own.get("group", ""),
            start_s=start,
            end_s=end,
            where=where,
            text=text,
            speaker=own.get("speaker", ""),
            number=_number(where, own["number"]) if own.get("number") else None,
            further=tuple((name, cell) for name, cell in further.items() if 0 < len(cell) <= MAX_CELL),
        )

    def with_durations(self, rows: list[files.Row]) -> list[files.Row]:
        """Rows that have a duration and no start, of files that other rows take pieces of, end after the duration.

        The only row of a file means all of it, whose duration a list may have rounded.
        """
        return [
            dataclasses.replace(row, end_s=self.durations[row.where])
            if row.where in self.durations and row.path in self.cut_files
            else row
            for row in rows
        ]

    def check_files(self) -> None:
        """UserError for files that are missing; it has the first one and counts them."""
        if len(self.missing) > 1:
            hint = ": data.skip_broken leaves these out" if len(self.missing) < self.lines else ""
            raise UserError(f"{self.missing[0]} ({len(self.missing):,} of {self.lines:,} rows have no file){hint}.")
        if self.missing:
            raise UserError(f"{self.missing[0]}.")

    def path_notes(self) -> Iterator[str]:
        """A sentence on paths that start from the working folder."""
        if self.from_working_folder:
            yield (
                f"{self.from_working_folder:,} paths in {paths.shown(self.path)} start from the working folder and not"
                " from the folder of the list: a command in another folder does not find them."
            )

    def further_columns(self) -> tuple[list[str], dict[str, str]]:
        """(sentences on columns that are not ours, the cells of one with few values by where)."""
        others, groups, column = list(self.further), {}, None
        if "group" not in self.names:
            column = next((name for name in others if _is_grouping(self.further[name], self.lines)), None)
        notes = []
        if column is not None:
            groups = {where: value or "(none)" for where, value in self.further[column].items()}
            others.remove(column)
            notes.append(f"Scores are also given for each value of the column {column!r}.")
        if others:
            subject = "The column" if len(others) == 1 else "The columns"
            verb = "is" if len(others) == 1 else "are"
            notes.append(f"{subject} {columns.quoted(others)} of {paths.shown(self.path)} {verb} not used in training.")
        return notes, groups

    def _text(self, where: str, name: str, value: Any) -> str:
        if isinstance(value, str):
            return value.strip()
        raise UserError(f"{where}: {name} must be text or a number. Received: {value!r}")

    def _segment(self, where: str, path: str, cells: Mapping[str, str]) -> tuple[float, float | None]:
        """(start, end) in seconds; None is the file's end."""
        start, end, duration = (_seconds(where, key, cells.get(key, "")) for key in ("start", "end", "duration"))
        if start is not None or end is not None:
            if files.modality_of([path]) == "image":
                raise UserError(f"{where}: start and end are for audio, and {paths.shown(path)} is a picture.")
            self.cut_files.add(path)
            if end is None and duration is not None:
                end = round((start or 0.0) + duration, 6)
        elif duration is not None:
            self.durations[where] = duration
        if end is not None and (start or 0.0) >= end:
            raise UserError(f"{where}: start must be before end. Received: start {start or 0.0}, end {end}.")
        return start or 0.0, end

    def _file(self, where: str, path: str) -> str:
        """The file of a path: from the folder of the manifest, or else from the working folder."""
        if storage.is_member(path):
            return path
        below = paths.local(path, self.folder)
        if os.path.isfile(below):
            return below
        here = paths.local(path)
        if here != below and os.path.isfile(here):
            self.from_working_folder += 1
            return here
        if "://" in path and not path.startswith("file:"):
            self.missing.append(f"{where}: {paths.shown(path)} is an address: download the file, and list its path")
            return below
        hint = ": the path has back-slashes, which do not separate folders here" if "\\" in path else ""
        self.missing.append(f"{where}: there is no file {paths.shown(below)}{hint}")
        return below


def _seconds(where: str, key: str, value: str) -> float | None:
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UserError(f"{where}: {key} must be seconds, 0 or more. Received: {value!r}")
    return number


def _number(where: str, value: str) -> float:
    """A number that is finite as float32."""
    number = float(value) if _DECIMAL.fullmatch(value) else math.nan
    if not abs(number) <= np.finfo(np.float32).max:
        raise UserError(f"{where}: number must be a finite decimal number, such as -1.5. Received: {value[:80]!r}")
    return number


def _is_grouping(cells: Mapping[str, str], lines: int) -> bool:
    """Whether a column that all lines have has few values, and is not one of numbers."""
    counts = collections.Counter(value for value in cells.values() if value)
    numeric = all(_DECIMAL.fullmatch(value) for value in counts)
    return len(cells) == lines and 2 <= len(counts) <= min(MAX_GROUPS, lines // 2) and not numeric


def _duplicates(path: str, rows: Sequence[files.Row]) -> Iterator[str]:
    """Sentences on pieces of files that are listed more than once."""
    groups: dict[tuple[str, float, float | None], list[files.Row]] = {}
    for row in rows:
        groups.setdefault((os.path.realpath(row.path), row.start_s, row.end_s), []).append(row)
    several = [group for group in groups.values() if len(group) > 1]
    if several:
        extra = sum(len(group) - 1 for group in several)
        yield (
            f"{share(extra, len(rows), 'row')} of {paths.shown(path)} {verb(extra, 'names', 'name')} audio or"
            f" pictures that"
            f" an earlier row names, such as {several[0][1].where}."
        )
    apart = [group for group in several if len({row.split for row in group}) > 1]
    if apart:
        wheres = " and ".join(row.where for row in apart[0][:2])
        yield (
            f"{counted(len(apart), 'file')} {verb(len(apart), 'is', 'are')} listed in more than one split, such as"
            f" {wheres}: scores on {verb(len(apart), 'it', 'them')} are too good."
        )
    unlike = [group for group in several if len({(row.label, row.text, row.number) for row in group}) > 1]
    if unlike:
        wheres = " and ".join(row.where for row in unlike[0][:2])
        yield (
            f"{counted(len(unlike), 'file')} {verb(len(unlike), 'is', 'are')} listed with different labels or texts,"
            f" such as {wheres}."
        )
