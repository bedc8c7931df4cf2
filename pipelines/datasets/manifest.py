"""A list of files: path, label, text or number, and start, end or duration, speaker, group, split if known.

A column `label` gives classes, `text` transcripts, and `number` one decimal number per file, the target of a
regression. A list with numbers has neither labels nor texts. See `columns` for the names that other tools and corpora
give these columns, `tables` for the kinds of files, and `kaldi` and `lhotse` for the lists of these tools.
"""

import dataclasses
import os
from typing import Any, Literal

import numpy as np

from pipelines import paths
from pipelines.datasets import content_split, files, manifest_rows, names
from pipelines.datasets.base import Corpus, FilesConfig, Modality
from pipelines.datasets.names import sort_classes
from pipelines.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config(FilesConfig):
    """The manifest and how it is split; its column `split` (train, validation, test) takes precedence."""

    name: str = "manifest"  # dataset, see `python -m tfrec list`
    path: str = ""  # .csv, .tsv, .jsonl, ... with names of columns, Lhotse's cuts, or a folder in Kaldi's form
    classes: tuple[str, ...] = ()  # the classes in their order; empty = the labels, sorted
    split_by: Literal["random", "speaker", "group"] = "random"  # speaker, group: each is in one split only


def modality(config: Config) -> Modality:
    """Returns "image" or "audio", by the suffixes of the listed files.

    Raises:
        UserError: As `load` raises it.
    """
    config = dataclasses.replace(config, path=config.moved_to or config.path)
    return files.modality_of(row.path for row in list_files(config))


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the files of a manifest.

    Splits by fractions have every class in proportion; they are random where there are no classes.

    Args:
        config: The manifest.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.

    Returns:
        The Corpus; pictures have their own sizes. It has no classes where there are texts and no labels, or numbers.
        Its notes name columns that are not used, and count rows that are there more than once. Groups are those of
        the column `group`, or else of the first further column with few values.

    Raises:
        UserError: With file and line, something is missing, unknown, empty or out of range; or files are damaged.
    """
    return build_corpus(config, _read(config), sample_rate_hz)


def build_corpus(
    config: Config, listed: manifest_rows.Listed, sample_rate_hz: int | None = None, **reading: Any
) -> Corpus:
    """Builds the Corpus of what a manifest lists.

    Args:
        config: How it is split.
        listed: Its rows, checked by `check`.
        sample_rate_hz: As `load` takes it.
        **reading: How the files are read, where it is not by the settings; see `files.build_corpus`.

    Returns:
        The Corpus, as `load` returns it.

    Raises:
        UserError: As `load` raises it.
    """
    rows = listed.rows
    classes = list(config.classes) or sort_classes({row.label for row in rows} - {""})
    if len(classes) == 1 and config.unlabeled:
        classes = []
    if len(classes) == 1:
        raise UserError(f"{config.path} has only the label {classes[0]!r}: at least two are needed.")
    indices = {name: i for i, name in enumerate(classes)}
    labels = np.array([indices[row.label] if classes else 0 for row in rows], np.int64)
    by = None if config.split_by == "random" else config.split_by
    split = content_split.split_files(rows, labels, config, by)
    corpus = files.build_corpus(
        config,
        split.rows,
        split.parts,
        class_names=classes,
        sample_rate_hz=sample_rate_hz,
        notes=split.notes,
        **config.reading() | reading,
    )
    corpus = dataclasses.replace(corpus, notes=(*corpus.notes, *listed.notes, *names.notes(classes)))
    return _with_groups(corpus, listed.groups) if listed.groups else corpus


def list_files(config: Config) -> list[files.Row]:
    """Reads the lines of a manifest and checks them.

    Args:
        config: The manifest.

    Returns:
        A row per line.

    Raises:
        UserError: With file and line, something is missing, unknown, empty or out of range.
    """
    return _read(config).rows


def _read(config: Config) -> manifest_rows.Listed:
    """The rows of the manifest, each checked by itself and all of them together."""
    if not config.path:
        raise UserError("data.path is needed: a .csv or .jsonl file that lists paths and labels.")
    if len(set(config.classes)) < len(config.classes):
        raise UserError(f"data.classes names a class twice: {', '.join(config.classes)}.")
    path = paths.local(config.path)
    split_by = None if config.split_by == "random" else config.split_by
    return check(path, config, manifest_rows.read(path, config.classes, split_by, config.skip_broken, config.unlabeled))


def check(path: str, config: Config, listed: manifest_rows.Listed) -> manifest_rows.Listed:
    """Checks the rows of a manifest together.

    Args:
        path: Of the manifest, for errors.
        config: Its settings.
        listed: Its rows, each of which is checked by itself.

    Returns:
        What it lists; with `unlabeled`, rows of which only some have labels, texts or numbers lose these.

    Raises:
        UserError: There are no rows, or only some have a label, a text, a number or a split.
    """
    rows = listed.rows
    if not rows:
        raise UserError(f"{path} lists no files.")
    if config.unlabeled:
        rows = listed.rows = _without_gaps(rows)
    for column in ("label", "text", "number", "split"):
        empty = [getattr(row, column) in ("", None) for row in rows]
        if any(empty) and not all(empty):
            where = rows[empty.index(True)].where
            raise UserError(f"{where}: {column} is empty, but other lines have one; fill it in everywhere or nowhere.")
    if config.classes and not rows[0].label:
        raise UserError(f"data.classes is given, but {path} has no labels: leave it out, or add the column 'label'.")
    if rows[0].split and all(row.split != "train" for row in rows):
        raise UserError(f"{path}: no line has the split 'train'.")
    return listed


def _without_gaps(rows: list[files.Row]) -> list[files.Row]:
    """The rows without labels, texts or numbers where only some have them."""
    changes: dict[str, Any] = {}
    for column, empty in (("label", ""), ("text", ""), ("number", None)):
        if any(getattr(row, column) == empty for row in rows):
            changes[column] = empty
    return [dataclasses.replace(row, **changes) for row in rows]


def _with_groups(corpus: Corpus, groups: dict[str, str]) -> Corpus:
    """The corpus with the groups of its examples, by their source; splits are not made by these."""
    splits = {}
    for name, split in corpus.splits.items():
        known = [groups.get(os.fspath(source), "") for source in split.sources or ()]
        splits[name] = dataclasses.replace(split, groups=known) if known and all(known) else split
    return dataclasses.replace(corpus, splits=splits)
