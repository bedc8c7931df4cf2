"""Shards: .tar files of pictures or audio with their labels, as WebDataset has them or `tfrec prepare` writes them."""

import dataclasses

from pipelines import paths, storage
from pipelines.counts import counted, verb
from pipelines.datasets import files, manifest, manifest_rows
from pipelines.datasets.base import Corpus, Modality
from pipelines.shards import index, places, samples


@dataclasses.dataclass(frozen=True)
class Config(manifest.Config):
    """Where the shards are and how they are split; their own splits take precedence."""

    name: str = "shards"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder of .tar files, one of them, or several: a/train-*.tar, s3://b/train-{000..146}.tar
    # The classes in their order; empty = as they were prepared, or the labels, sorted. A .cls may hold their numbers
    classes: tuple[str, ...] = ()
    # Decode every file once before training, to find damaged ones; compare checksums of prepared shards instead, whose
    # files were decoded when they were prepared
    verify: bool = True


def modality(config: Config) -> Modality:
    """Returns "image" or "audio", by the endings of the members.

    Raises:
        UserError: As `load` raises it.
    """
    found = places.find(config.moved_to or config.path)
    if found.index is not None:
        return index.read_header(found.index).modality
    first = dataclasses.replace(found, archives=found.archives[:1], splits=found.splits[:1])
    lines = samples.read(first, samples.LeftOut(), lambda where, names: None, unlabeled=True)
    return files.modality_of(cells["path"] for _, cells in lines)


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the pictures or clips in shards, which stay there.

    Splits are those of an index or of the samples' JSON, or else those that all shards are named after, such as
    `train-000.tar` and `val/000.tar`.

    Args:
        config: The shards.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.

    Returns:
        The Corpus, as that of a manifest; its notes count members that are not used.

    Raises:
        UserError: With shard and member, something is missing, damaged or ambiguous.
    """
    found = places.find(config.moved_to or config.path)
    listed, header = _read(config, found)
    verify = config.verify
    if header is not None:
        config = dataclasses.replace(config, classes=config.classes or header.classes)
        if verify and header.verified:
            index.check(found, header)
            verify = False
    return manifest.build_corpus(config, listed, sample_rate_hz, verify=verify)


def list_files(config: Config) -> list[files.Row]:
    """Lists the examples in shards, from their headers, labels and index alone.

    Args:
        config: The shards.

    Returns:
        A row per example; its path is the shard's, followed by the name of the member.

    Raises:
        UserError: As `load` raises it.
    """
    return _read(config, places.find(config.moved_to or config.path))[0].rows


def open_index(config: Config) -> None:
    """Makes the members of prepared shards known with their fingerprints, and checks that the shards are the same.

    Args:
        config: The shards; nothing happens where they have no index, or are gone.

    Raises:
        UserError: The index or a shard is missing or damaged, or has changed.
    """
    if not storage.exists(config.path):
        return  # the files are then missing
    found = places.find(config.path)
    if found.index is not None:
        index.check(found)
        for _ in index.read(found, lambda where, names: None):
            pass


def _read(config: Config, found: places.Shards) -> tuple[manifest_rows.Listed, index.Header | None]:
    """The rows, and the header of the index if there is one."""
    path = config.moved_to or config.path
    split_by = None if config.split_by == "random" else config.split_by
    header = None if found.index is None else index.read_header(found.index)
    classes = config.classes or (() if header is None else header.classes)
    reader = manifest_rows.RowReader(path, classes, split_by, config.unlabeled)
    left_out = samples.LeftOut()
    if header is None:
        lines = samples.read(found, left_out, reader.check_columns, classes, config.unlabeled)
        rows = [reader.row(where, cells) for where, cells in lines]
    else:
        rows = [
            dataclasses.replace(reader.row(*line), fingerprint=entry.fingerprint, decoder=entry.decoder)
            for line, entry in index.read(found, reader.check_columns)
        ]
    notes, groups = reader.further_columns()
    notes += left_out.notes()
    if found.others:
        notes.append(f"{counted(found.others, 'file')} next to shards {verb(found.others, 'was', 'were')} left out.")
    listed = manifest_rows.Listed(reader.with_durations(rows), notes, groups)
    return manifest.check(paths.shown(path), config, listed), header
