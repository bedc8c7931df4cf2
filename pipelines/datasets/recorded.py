"""A corpus in files as a record of its splits has it: the same files in the same splits, checked by fingerprint."""

import dataclasses
import os
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines import datasets, storage
from pipelines.datasets import files, fingerprints, rejection
from pipelines.datasets.base import Corpus, DataConfig, FilesConfig
from pipelines.datasets.selection import JOINED_NOTE
from pipelines.errors import UserError

SHOWN = 3  # files named in a sentence


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Rows of a record, by what is at their paths now."""

    same: list[files.Row]
    changed: list[files.Row]  # another content
    gone: list[files.Row]

    def describe(self) -> str:
        """Says how many files are gone and have changed, with some names; "" for none."""
        words = ((self.gone, "gone"), (self.changed, "changed"))
        return " and ".join(f"{_count(rows)} {word} ({_names(rows)})" for rows, word in words if rows)


def compare(rows: Sequence[files.Row]) -> Comparison:
    """Compares the files of a record with those on the disk.

    Args:
        rows: With fingerprints; without one a file is only looked for.
    """
    paths = list(dict.fromkeys(row.path for row in rows if storage.is_file(row.path)))
    known = {path: storage.known_fingerprint(path) for path in paths}
    now = known | fingerprints.of_files(path for path in paths if known[path] is None)
    comparison = Comparison([], [], [])
    for row in rows:
        fingerprint = now.get(row.path)
        if fingerprint is None:
            comparison.gone.append(row)
        elif row.fingerprint in ("", fingerprint):
            comparison.same.append(row)
        else:
            comparison.changed.append(row)
    return comparison


def relocate(rows: Sequence[files.Row], old: str, new: str) -> list[files.Row]:
    """Finds the files of a record in another folder.

    A file is first looked for at its place below the old folder, and then by its fingerprint among all files.

    Args:
        rows: With fingerprints.
        old: The folder of the data, or its manifest.
        new: Where they are now.

    Returns:
        The rows with the paths of files that have the same content; those that are not found have the path where they
        should be.

    Raises:
        UserError: `new` does not exist.
    """
    if not storage.exists(_folder(new)):
        raise UserError(f"data.moved_to {new} does not exist.")
    root, target = _folder(old), _folder(new)

    def moved(path: str) -> str:
        below = os.path.relpath(path, root)
        return os.path.join(target, os.path.basename(path) if below.startswith(os.pardir) else below)

    rows = [dataclasses.replace(row, path=moved(row.path), where=_moved_where(row, old, new)) for row in rows]
    found = compare(rows)
    if not found.changed and not found.gone:
        return rows
    others = fingerprints.of_files(set(storage.walk(target)) - {row.path for row in found.same})
    by_content = {fingerprint: path for path, fingerprint in others.items()}
    missing = {row.path for row in [*found.changed, *found.gone]}
    rows = [
        dataclasses.replace(row, path=by_content.get(row.fingerprint, row.path)) if row.path in missing else row
        for row in rows
    ]
    return rows


def new_files(config: DataConfig, rows: Sequence[files.Row]) -> list[files.Row]:
    """Finds the files that the data holds now and a record does not.

    Args:
        config: Of the data.
        rows: The record.

    Raises:
        UserError: The data cannot be listed.
    """
    module = datasets.find(config.name)
    # A selection leaves files out of the record that are not new.
    if not hasattr(module, "list_files") or config.examples_per_class is not None or config.train_fraction < 1:
        return []
    known = {(os.path.realpath(row.path), row.start_s, row.end_s) for row in rows}
    current = [row for row in module.list_files(config) if not config.only_classes or row.label in config.only_classes]
    return [row for row in current if (os.path.realpath(row.path), row.start_s, row.end_s) not in known]


def load(
    config: DataConfig,
    rows: Sequence[files.Row],
    splits: Iterable[str],
    *,
    class_names: Sequence[str] = (),
    sample_rate_hz: int | None = None,
    notes: Sequence[str] = (),
) -> Corpus:
    """Loads the corpus of recorded rows.

    Args:
        config: How the files are read.
        rows: Each in the split that it names.
        splits: Those of the Corpus; rows of others are left out.
        class_names: The classes, in their order.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.
        notes: Sentences about the rows.

    Returns:
        The Corpus.

    Raises:
        UserError: A file cannot be read, or a split has no rows.
    """
    splits = list(splits)
    rows = [row for row in rows if row.split in splits]
    parts = {name: np.array([i for i, row in enumerate(rows) if row.split == name], np.int64) for name in splits}
    for name, indices in parts.items():
        if not len(indices):
            raise UserError(f"The {name} split of {config.name} holds no examples.")
    if config.train_on_validation:
        notes = (*notes, JOINED_NOTE)
    corpus = files.build_corpus(
        config,
        rows,
        parts,
        class_names=class_names,
        sample_rate_hz=sample_rate_hz,
        notes=notes,
        **(config.reading() if isinstance(config, FilesConfig) else {}),
    )
    return rejection.add_examples(corpus, config)


def open_index(config: DataConfig) -> None:
    """Reads the index of data that has one, so that its files are found and their fingerprints known.

    Raises:
        UserError: As the dataset's `open_index` raises it.
    """
    module = datasets.find(config.name)
    if hasattr(module, "open_index"):
        module.open_index(config)


def is_split_by_content(config: DataConfig) -> bool:
    """Returns whether fresh splits of this data depend on which files there are."""
    return isinstance(config, FilesConfig)


def _moved_where(row: files.Row, old: str, new: str) -> str:
    """The line of a manifest that has moved; empty where the row is not of a manifest."""
    if os.path.isfile(new) and row.where.startswith(old + ":"):
        return new + row.where[len(old) :]
    return ""


def _folder(path: str) -> str:
    """The folder that relative paths start from: the path, which may be an archive, or that of a manifest."""
    is_pattern = not storage.exists(path) and not {*"*?[{"}.isdisjoint(os.path.basename(path))
    if path.endswith(".tar") and not is_pattern:
        return path
    is_list = os.path.isfile(path) or os.path.splitext(path)[1].lower() in (".csv", ".tsv", ".jsonl", ".json")
    return os.path.dirname(path) if is_list or is_pattern else path


def _count(rows: Sequence[files.Row]) -> str:
    count = len({row.path for row in rows})
    return f"{count:,} {'is' if count == 1 else 'are'}" if rows else ""


def _names(rows: Sequence[files.Row]) -> str:
    paths = list(dict.fromkeys(row.path for row in rows))
    return ", ".join([*paths[:SHOWN], *(["..."] if len(paths) > SHOWN else [])])
