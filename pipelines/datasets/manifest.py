"""A list of files as CSV or JSON lines: path, label or text, and if wanted start, end, speaker, group and split."""

import csv
import dataclasses
import json
import math
import os
from typing import Literal

import numpy as np

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError, unknown

COLUMNS = ("path", "label", "text", "start", "end", "speaker", "group", "split")


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """The manifest and how it is split; a column `split` (train, validation, test) goes before the fractions."""

    name: str = "manifest"  # dataset, see `python -m tfrec list`
    path: str = ""  # .csv with a header line, or .jsonl; paths in it start from its own folder
    classes: tuple[str, ...] = ()  # the classes in their order; none = the labels, sorted
    split_by: Literal["random", "speaker", "group"] = "random"  # what never stands on both sides of a split
    channels: int = 3  # of pictures: 3 color, 1 gray
    verify: bool = True  # decode every file once before training, to find the broken ones


def modality(config):
    """Says "image" or "audio", by the files listed. Raises UserError as `load` does."""
    return files.modality_of(row.path for row in _rows(config))


def load(config, sample_rate_hz=None):
    """The Corpus of a manifest; pictures in their own sizes, audio at `sample_rate_hz` (None = most files' rate).

    It has no classes where there are texts and no labels.

    Raises UserError, with file and line, for anything that is missing, unknown, empty or out of range.
    """
    rows = _rows(config)
    classes = list(config.classes) or sorted({row.label for row in rows} - {""})
    if len(classes) == 1:
        raise UserError(f"{config.path} has only the label {classes[0]!r}: at least two are needed.")
    labels = np.array([classes.index(row.label) if classes else 0 for row in rows], np.int64)
    parts = files.split_rows(rows, labels, config, by=None if config.split_by == "random" else config.split_by)
    return files.corpus(config, rows, classes, parts, config.channels, config.verify, sample_rate_hz)


def _rows(config):
    if not config.path:
        raise UserError("data.path is needed: a .csv or .jsonl file that lists paths and labels.")
    readers = {".csv": _csv, ".jsonl": _json_lines}
    read = readers.get(os.path.splitext(config.path)[1].lower())
    if read is None:
        raise UserError(f"{config.path} is not a manifest that is read: it must end in .csv or .jsonl.")
    if len(set(config.classes)) < len(config.classes):
        raise UserError(f"data.classes names a class twice: {', '.join(config.classes)}.")
    try:
        with open(config.path, encoding="utf-8-sig", newline="") as file:
            rows = [_row(config, where, cells) for where, cells in read(config.path, file)]
    except OSError as error:
        raise UserError(f"data.path {config.path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{config.path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error
    if not rows:
        raise UserError(f"{config.path} lists no files.")
    for field in ("label", "text"):
        without = next((row for row in rows if not getattr(row, field)), None)
        if without and any(getattr(row, field) for row in rows):
            raise UserError(
                f"{without.where}: {field} is empty, but other lines have one; fill it everywhere or nowhere."
            )
    if config.classes and not rows[0].label:
        raise UserError(
            f"data.classes is given, but {config.path} has no labels: leave it out, or add the column 'label'."
        )
    if any(row.split for row in rows):
        bare = next((row for row in rows if not row.split), None)
        if bare:
            raise UserError(f"{bare.where}: split is empty, but other lines have one; fill it everywhere or nowhere.")
        if all(row.split != "train" for row in rows):
            raise UserError(f"{config.path}: no line has the split 'train'.")
    return rows


def _csv(path, file):
    """(where, cells) for every line that is not blank."""
    reader = csv.reader(file, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_columns(path, f"{path}:1", header)
        for line in reader:
            where = f"{path}:{reader.line_num}"
            if not any(cell.strip() for cell in line):
                continue
            if len(line) != len(header):
                raise UserError(f"{where}: {len(line)} cells, but the header names {len(header)} columns.")
            yield where, dict(zip(header, line, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}.") from error


def _json_lines(path, file):
    for number, line in enumerate(file, 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            # A list of pairs, because a dict would swallow a key that is there twice.
            pairs = json.loads(line, object_pairs_hook=list)
        except (ValueError, RecursionError) as error:  # ValueError: a number of too many digits too
            raise UserError(f"{where}: not JSON: {error}.") from error
        if line.lstrip()[0] != "{":
            raise UserError(f'{where}: every line must be a JSON object such as {{"path": ..., "label": ...}}.')
        _check_columns(path, where, [key for key, _ in pairs])
        for key, value in pairs:
            if isinstance(value, (list, bool)):
                raise UserError(f"{where}: {key} must be text or a number. Received: {value!r}")
        yield where, {key: "" if value is None else str(value) for key, value in pairs}


def _check_columns(path, where, names):
    for name in names:
        if name not in COLUMNS:
            error = unknown("column", name, COLUMNS)
            raise UserError(f"{where}: {error}") from error
        if names.count(name) > 1:
            raise UserError(f"{where}: the column {name!r} is there twice.")
    if "path" not in names:
        raise UserError(f"{where}: the column 'path' is missing.")
    if "label" not in names and "text" not in names:
        raise UserError(
            f"{where}: the columns 'label' (for classification) and 'text' (for transcription) are missing."
        )


def _row(config, where, cells):
    cells = {key: value.strip() for key, value in cells.items()}
    for key in ("path", "label"):
        if not cells.get(key, "-"):
            raise UserError(f"{where}: {key} is empty.")
    text = transcripts.checked(where, cells["text"]) if "text" in cells else ""
    path = os.path.join(os.path.dirname(config.path), cells["path"])
    if not os.path.isfile(path):
        raise UserError(f"{where}: there is no file {path}.")
    if config.classes and cells.get("label") not in (None, *config.classes):
        error = unknown("label", cells["label"], config.classes)
        raise UserError(f"{where}: {error}") from error
    split = cells.get("split", "")
    if split and split not in files.SPLITS:
        error = unknown("split", split, files.SPLITS)
        raise UserError(f"{where}: {error}") from error
    if config.split_by != "random" and not cells.get(config.split_by):
        raise UserError(f"{where}: {config.split_by} is empty, but data.split_by is {config.split_by!r}.")
    start, end = (_seconds(where, key, cells.get(key, "")) for key in ("start", "end"))
    if (start is not None or end is not None) and files.modality_of([path]) == "image":
        raise UserError(f"{where}: start and end are for audio, and {path} is a picture.")
    if end is not None and (start or 0.0) >= end:
        raise UserError(f"{where}: start must be before end. Received: start {start or 0.0}, end {end}.")
    return files.Row(
        path,
        cells.get("label", ""),
        files.SPLITS.get(split, ""),
        cells.get("group", ""),
        start or 0.0,
        end,
        where,
        text,
        cells.get("speaker", ""),
    )


def _seconds(where, key, value):
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UserError(f"{where}: {key} must be seconds, 0 or more. Received: {value!r}")
    return number
