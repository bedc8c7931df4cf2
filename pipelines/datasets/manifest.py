"""A list of files as CSV or JSON lines: path, label, text or number, and start, end, speaker, group, split if known.

A column `label` gives classes, `text` transcripts, and `number` one decimal number per file, the target of a
regression. A list with numbers has neither labels nor texts.
"""

import dataclasses
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipelines.datasets import files, splitting, tables, transcripts
from pipelines.datasets.base import Corpus, DataConfig, Modality
from pipelines.errors import UserError, unknown

COLUMNS = ("path", "label", "text", "number", "start", "end", "speaker", "group", "split")

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """The manifest and how it is split; its column `split` (train, validation, test) takes precedence."""

    name: str = "manifest"  # dataset, see `python -m tfrec list`
    path: str = ""  # .csv with a header line, or .jsonl; paths in it start from its own folder
    classes: tuple[str, ...] = ()  # the classes in their order; empty = the labels, sorted
    split_by: Literal["random", "speaker", "group"] = "random"  # speaker, group: each is in one split only
    channels: int = 3  # of pictures: 3 color, 1 gray
    verify: bool = True  # decode every file once before training, to find damaged ones
    audio_channel: str = "average"  # of audio with several channels: average, left, right, or a number from 0


def modality(config: Config) -> Modality:
    """Returns "image" or "audio", by the suffixes of the listed files.

    Raises:
        UserError: As `load` raises it.
    """
    return files.modality_of(row.path for row in _rows(config))


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the files of a manifest.

    Splits by fractions have every class in proportion; they are random where there are no classes.

    Args:
        config: The manifest.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.

    Returns:
        The Corpus; pictures have their own sizes. It has no classes where there are texts and no labels, or numbers.

    Raises:
        UserError: With file and line, something is missing, unknown, empty or out of range; or files are damaged.
    """
    rows = _rows(config)
    classes = list(config.classes) or sorted({row.label for row in rows} - {""})
    if len(classes) == 1:
        raise UserError(f"{config.path} has only the label {classes[0]!r}: at least two are needed.")
    labels = np.array([classes.index(row.label) if classes else 0 for row in rows], np.int64)
    by = None if config.split_by == "random" else config.split_by
    parts = splitting.split_rows(rows, labels, config, by)
    return files.build_corpus(
        config,
        rows,
        parts,
        class_names=classes,
        channels=config.channels,
        verify=config.verify,
        sample_rate_hz=sample_rate_hz,
        audio_channel=config.audio_channel,
    )


def _rows(config: Config) -> list[files.Row]:
    """The lines of the manifest, each checked by itself and all of them together."""
    if not config.path:
        raise UserError("data.path is needed: a .csv or .jsonl file that lists paths and labels.")
    if len(set(config.classes)) < len(config.classes):
        raise UserError(f"data.classes names a class twice: {', '.join(config.classes)}.")
    rows = [_row(config, where, cells) for where, cells in tables.read(config.path, _check_columns)]
    if not rows:
        raise UserError(f"{config.path} lists no files.")
    for column in ("label", "text", "number", "split"):
        empty = [getattr(row, column) in ("", None) for row in rows]
        if any(empty) and not all(empty):
            where = rows[empty.index(True)].where
            raise UserError(f"{where}: {column} is empty, but other lines have one; fill it in everywhere or nowhere.")
    if config.classes and not rows[0].label:
        raise UserError(
            f"data.classes is given, but {config.path} has no labels: leave it out, or add the column 'label'."
        )
    if rows[0].split and all(row.split != "train" for row in rows):
        raise UserError(f"{config.path}: no line has the split 'train'.")
    return rows


def _check_columns(where: str, names: Sequence[str]) -> None:
    """UserError unless the columns are known, there once, and name a file and what it is labeled with."""
    for name in names:
        if name not in COLUMNS:
            error = unknown("column", name, COLUMNS)
            raise UserError(f"{where}: {error}") from error
        if names.count(name) > 1:
            raise UserError(f"{where}: the column {name!r} is there twice.")
    if "path" not in names:
        raise UserError(f"{where}: the column 'path' is missing.")
    if not {"label", "text", "number"} & set(names):
        raise UserError(
            f"{where}: one of the columns 'label' (for classification), 'text' (for transcription) and 'number' "
            "(for regression) is needed."
        )
    others = [name for name in ("label", "text") if name in names]
    if "number" in names and others:
        raise UserError(f"{where}: number and {others[0]} exclude each other: leave one of them out.")


def _row(config: Config, where: str, cells: Mapping[str, str]) -> files.Row:
    """One line of the manifest, checked."""
    cells = {key: value.strip() for key, value in cells.items()}
    for key in ("path", "label", "number"):
        if not cells.get(key, "-"):
            raise UserError(f"{where}: {key} is empty.")
    text = transcripts.clean(where, cells["text"]) if "text" in cells else ""
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
        label=cells.get("label", ""),
        split=files.SPLITS.get(split, ""),
        group=cells.get("group", ""),
        start_s=start or 0.0,
        end_s=end,
        where=where,
        text=text,
        speaker=cells.get("speaker", ""),
        number=_number(where, cells["number"]) if "number" in cells else None,
    )


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
