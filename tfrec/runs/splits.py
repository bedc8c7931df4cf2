"""splits.csv: the files of a run, and the corpus that they make.

path          the file
identity      BLAKE2b of its bytes, 128 bits; empty where the corpus is read as it was distributed
split         train, validation or test
label, text, number, group, speaker, start, end
              as the data had them; start and end in seconds, of a piece of the file
source        the line of a manifest that names the file
further       a JSON object with the other columns of a manifest
"""

import csv
import dataclasses
import io
import json
import logging
import re
from collections.abc import Iterable
from typing import Any

from pipelines import datasets, paths
from pipelines.counts import counted, verb
from pipelines.datasets import recorded
from pipelines.datasets.base import Corpus, DataConfig, Split
from pipelines.datasets.files import Row
from pipelines.errors import UserError
from tfrec.runs.run import Run

logger = logging.getLogger(__name__)

NAME = "splits.csv"
ALL = ("train", "validation", "test")
_FIELDS = {"path": "path", "identity": "fingerprint", "label": "label", "split": "split", "group": "group"}
_FIELDS |= {"speaker": "speaker", "start": "start_s", "end": "end_s", "text": "text", "number": "number"}
_FIELDS |= {"source": "where"}
_NUMBERS = ("start", "end", "number")
_FURTHER = "further"


def write(run: Run, corpus: Corpus) -> None:
    """Writes the files of a corpus and their splits into a run, if the corpus is in files."""
    if any(split.rows is None for split in corpus.splits.values()):
        return
    rows = [(name, row) for name in ALL for row in _in_files(corpus.splits[name])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIELDS, _FURTHER])
    for name, row in rows:
        values = {column: getattr(row, field) for column, field in _FIELDS.items()} | {"split": name}
        values["start"] = row.start_s or None
        values[_FURTHER] = json.dumps(dict(row.further), ensure_ascii=False) if row.further else None
        writer.writerow("" if value is None else value for value in values.values())
    run.write_text(NAME, text.getvalue())


def read(run: Run) -> list[Row] | None:
    """Reads the files of a run.

    Returns:
        The rows in the order of `write`; None where the run has no record.

    Raises:
        UserError: The record is damaged.
    """
    path = run.path / NAME
    if not path.is_file():
        return None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [_row(cells) for cells in csv.DictReader(file, strict=True)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is damaged: {error}.") from error


def load(
    run: Run,
    config: Any,
    labels: Any,
    splits: Iterable[str] = ALL,
    *,
    moved_to: str | None = None,
    skip_missing: bool = False,
) -> Corpus:
    """Loads the data of a run as its record has it.

    Args:
        run: The run.
        config: Its configuration.
        labels: The run's labels.json, which are the names of the classes where the task has classes.
        splits: Those that are needed.
        moved_to: Where the files are now.
        skip_missing: Whether files that are gone or have changed are left out.

    Returns:
        The Corpus with these splits; its notes say what has changed.

    Raises:
        UserError: Files of these splits are gone or have changed and `skip_missing` is False, or the data cannot be
            read.
    """
    rows = read(run)
    rate = getattr(config.frontend, "sample_rate_hz", None)
    if rows is None or not all(row.fingerprint for row in rows):
        if moved_to is not None:
            raise UserError(
                f"data.moved_to needs the fingerprints of the files, which {run.path / NAME} does not have: give the"
                " new place by --data.path."
            )
        corpus = datasets.load(config.data, rate)
        _require_recorded(run, config.data, corpus, rows)
        return corpus
    data = config.data
    if moved_to is not None:
        data = dataclasses.replace(data, path=paths.absolute(moved_to))
    recorded.open_index(data)
    if moved_to is not None:
        rows = recorded.relocate(rows, config.data.path, data.path)
    needed, notes = _compare(rows, list(splits), run, skip_missing)
    splits = list(splits)
    notes += _new_notes(data, rows)
    names = labels if isinstance(labels, list) else ()
    return recorded.load(data, needed.same, splits, class_names=names, sample_rate_hz=rate, notes=notes)


def load_checked(run: Run, recognizer: Any, split: str, **options: Any) -> Corpus:
    """Loads one split of a run for its recognizer, and warns of what has changed since the training.

    Args:
        run: The run.
        recognizer: The Recognizer of that run.
        split: The split that is needed.
        **options: Those of `load`.

    Returns:
        The Corpus; raises UserError as `load`, and where the split does not fit the task. A task that compares
        examples with the training split has it, see `Task.use_reference`.
    """
    task = recognizer.task
    needed = {split, "train"} if task.needs_reference else {split}
    corpus = load(run, recognizer.config, task.labels, needed, **options)
    for note in corpus.notes:
        logger.warning(note)
    task.check_corpus(corpus, run.path)
    if task.needs_reference:
        task.use_reference(recognizer, corpus.splits["train"])
    return corpus


def _compare(rows: list[Row], splits: list[str], run: Run, skip_missing: bool) -> tuple[recorded.Comparison, list[str]]:
    """The files of some splits compared with their record, and sentences on what has changed; UserError as `load`."""
    found = recorded.compare(rows)
    needed = recorded.Comparison(*([row for row in part if row.split in splits] for part in _parts(found)))
    others = recorded.Comparison(*([row for row in part if row.split not in splits] for part in _parts(found)))
    total = sum(len(part) for part in _parts(needed))
    named = f"Of the {counted(total, 'file')} of {' and '.join(splits)} in {run.path / NAME}, {needed.describe()}"
    if needed.describe() and not skip_missing:
        raise UserError(
            f"{named}: restore them, name their new place by --data.moved_to, or leave them out of an evaluation by"
            " --skip_missing."
        )
    notes = [f"{named}: they are left out."] if needed.describe() else []
    if others.describe():
        notes.append(f"Of the files of other splits, {others.describe()}.")
    return needed, notes


def _new_notes(data: DataConfig, rows: list[Row]) -> list[str]:
    """Says how many files the data has that the record has not."""
    try:
        new = recorded.new_files(data, rows)
    except UserError as error:
        return [f"Whether there are new files is unknown: {error}"]
    if not new:
        return []
    shown = ", ".join([*(row.path for row in new[: recorded.SHOWN]), *(["..."] if len(new) > recorded.SHOWN else [])])
    return [
        f"{counted(len(new), 'file')} {verb(len(new), 'is', 'are')} new since the run was started and"
        f" {verb(len(new), 'is', 'are')} left out: {shown}."
    ]


def _parts(found: recorded.Comparison) -> tuple[list[Row], list[Row], list[Row]]:
    return found.same, found.changed, found.gone


def _require_recorded(run: Run, data: DataConfig, corpus: Corpus, rows: list[Row] | None) -> None:
    """UserError where a fresh split may not be the one that the run was trained with."""
    if rows is None:
        if recorded.is_split_by_content(data) and not _is_named(corpus):
            raise UserError(
                f"{run.path} has no {NAME}, since an older version wrote it, so that its test files are not known:"
                " measure it on other data by --data.path, or train again."
            )
        return
    now = {(name, row.path, row.start_s) for name, split in corpus.splits.items() for row in _in_files(split)}
    then = {(row.split, row.path, row.start_s) for row in rows}
    if now != then:
        raise UserError(
            f"Of the {len(then):,} files in {run.path / NAME}, {len(then - now):,} are gone or in another split, and"
            f" {len(now - then):,} are new: restore the data that the run was trained on."
        )


def _is_named(corpus: Corpus) -> bool:
    """Whether the data itself says which examples are in validation and test."""
    return all(row.split == name for name in ("validation", "test") for row in _in_files(corpus.splits[name]))


def _in_files(split: Split) -> list[Row]:
    """The rows of examples that are in files, which made ones, such as of silence, are not."""
    return [row for row in split.rows or () if row.path]


def count_missing(run: Run, split: Split, name: str) -> int:
    """Counts the recorded files of a split that are left out now.

    Args:
        run: The run.
        split: What is left.
        name: Name of the split.

    Returns:
        Number of files; 0 where the run has no record.
    """
    rows = read(run) or []
    return max(0, sum(row.split == name for row in rows) - len(_in_files(split))) if rows else 0


def _row(cells: dict[str, str]) -> Row:
    values: dict[str, Any] = {field: cells[column] for column, field in _FIELDS.items()}
    if values["split"] not in ALL:
        raise ValueError(f"split {values['split']!r}")
    for column in _NUMBERS:
        field = _FIELDS[column]
        values[field] = float(values[field]) if values[field] else None
    further = json.loads(cells.get(_FURTHER) or "{}")  # records of older versions have none
    values["further"] = tuple((str(name), str(cell)) for name, cell in further.items())
    # `write_text` escapes the bytes of a name that are not UTF-8.
    name = re.sub(r"\\udc([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), values["path"])
    return Row(**values | {"path": name, "start_s": values["start_s"] or 0.0})
