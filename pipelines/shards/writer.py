"""Writes a corpus of files as shards of these files, byte by byte, with their labels and an index."""

import dataclasses
import io
import json
import os
import posixpath
import re
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, cast

from pipelines import paths, progress, storage
from pipelines.counts import counted
from pipelines.datasets import fingerprints, media_files
from pipelines.datasets.base import Corpus
from pipelines.datasets.files import Row
from pipelines.errors import UserError
from pipelines.shards import index, places, samples
from pipelines.storage import archives

_BLOCK = 512
_MODE = 0o644


@dataclasses.dataclass(frozen=True)
class _File:
    """A file and what is known of the examples in it, in their order."""

    path: str
    rows: list[Row]
    name: str = ""  # of the member


def rows_of(corpus: Corpus) -> list[Row]:
    """Collects the examples of a corpus as they will be in shards: with their class, group and split as it has them.

    Args:
        corpus: Pictures or clips in files.

    Returns:
        The rows, split after split, in the order of each.

    Raises:
        UserError: The corpus is not in files, or has pairs, or examples that are made.
    """
    if corpus.modality not in ("image", "audio"):
        raise UserError(f"{corpus.name} has pairs of a picture and a clip: shards hold single pictures or clips.")
    rows = []
    for name in ("train", "validation", "test"):
        split = corpus.splits[name]
        if split.rows is None:
            raise UserError(f"{corpus.name} is not read from single files that are whole: it cannot be prepared.")
        if any(not row.path for row in split.rows):
            raise UserError(
                f"{corpus.name} has examples that are made and are no files: leave out data.silence_fraction,"
                " data.unknown and data.synthetic_examples here, and give them to the training."
            )
        for i, row in enumerate(split.rows):
            label = "" if not corpus.class_names or split.labels is None else corpus.class_names[split.labels[i]]
            group = row.group if split.groups is None else split.groups[i]
            rows.append(dataclasses.replace(row, split=name, label=label, group=group))
    return rows


def write(corpus: Corpus, folder: str | os.PathLike[str], shard_bytes: int, verified: bool) -> index.Header:
    """Writes shards and their index.

    Args:
        corpus: Pictures or clips in files.
        folder: An empty folder.
        shard_bytes: A shard ends with the file that reaches this size.
        verified: Whether the files have been decoded.

    Returns:
        What the index says of the shards.

    Raises:
        UserError: The corpus cannot be in shards, or a file cannot be read or has changed since it was loaded.
        OSError: The folder cannot be written.
    """
    rows = rows_of(corpus)
    by_path: dict[str, list[Row]] = {}
    for row in rows:
        by_path.setdefault(row.path, []).append(row)
    files = _named([_File(path, found) for path, found in by_path.items()])
    entries: dict[str, dict[str, Any]] = {}
    shards: list[str] = []
    for split in ("train", "validation", "test"):
        of_split = [file for file in files if file.rows[0].split == split]
        for number, (name, some) in enumerate(_cut(split, of_split, shard_bytes)):
            with _Shard(os.path.join(folder, name)) as shard:
                for file in progress.track(some, len(some), f"files of {split}, shard {number + 1}"):
                    entries[file.path] = {"shard": len(shards), **shard.add(file, corpus.class_names)}
            shards.append(name)
    kind = cast(Any, corpus.modality)
    header = index.Header(_described(folder, shards), len(rows), tuple(corpus.class_names), verified, kind)
    lines = (
        {**entries[row.path], "cells": index.cells_of(row), **({"decoder": row.decoder} if row.decoder else {})}
        for row in rows
    )
    with open(os.path.join(folder, places.INDEX), "w", encoding="utf-8") as out:
        index.write(out, header, lines)
        _flush(out)
    return header


def total_bytes(corpus: Corpus) -> int:
    """The size of all shards of a corpus, estimated; UserError as `rows_of` raises it."""
    rows = {row.path: row for row in rows_of(corpus)}
    try:
        return sum(storage.size(path) + 6 * _BLOCK for path in rows)
    except OSError as error:
        raise UserError(f"{error.filename or corpus.name} cannot be read: {error.strerror or error}.") from error


class _Shard:
    """A shard that is being written; a context."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 - `__exit__` closes it
        self._archive = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)

    def __enter__(self) -> "_Shard":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        with self._file:
            if kind is None:
                self._archive.close()
                _flush(self._file)

    def add(self, file: _File, class_names: Sequence[str]) -> dict[str, Any]:
        """Writes a file and its labels; returns its part of the entry in the index."""
        data = _content(file)
        offset = self._write(file.name, data)
        stem = posixpath.splitext(file.name)[0]
        cells = [index.cells_of(row) for row in file.rows]
        record = cells[0] if len(cells) == 1 else {samples.EXAMPLES: cells}
        self._write(f"{stem}.json", json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace"))
        first = file.rows[0]
        if len(cells) == 1 and first.label:
            self._write(f"{stem}.{samples.LABEL}", str(class_names.index(first.label)).encode())
        if len(cells) == 1 and first.text:
            self._write(f"{stem}.txt", first.text.encode("utf-8", "backslashreplace"))
        return {"name": file.name, "offset": offset, "size": len(data), "fingerprint": fingerprints.of_bytes(data)}

    def _write(self, name: str, data: bytes) -> int:
        """Adds a member, the same for the same arguments; returns the offset of its content."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), _MODE
        self._archive.addfile(info, io.BytesIO(data))
        return self._file.tell() - -(-len(data) // _BLOCK) * _BLOCK


def _content(file: _File) -> bytes:
    """The bytes of a file; UserError where it cannot be read or is another one than was loaded."""
    shown = paths.shown(file.path)
    try:
        size = storage.size(file.path)
        if size > archives.MAX_MEMBER_BYTES:
            raise UserError(f"{shown} has {size:,} bytes: in shards {archives.MAX_MEMBER_BYTES:,} are the maximum.")
        data = storage.read(file.path)
    except OSError as error:
        raise UserError(f"{shown} cannot be read: {error.strerror or error}.") from error
    known = file.rows[0].fingerprint
    if known not in ("", file.path) and known != fingerprints.of_bytes(data):
        raise UserError(f"{shown} has changed since the data was loaded: start again.")
    return data


def _named(files: Sequence[_File]) -> list[_File]:
    """Files with the names of their members: their paths below the folder of all, each stem once and without dots."""
    folders = {os.path.dirname(file.path) for file in files}
    root = os.path.commonpath(folders) if len(folders) > 1 else next(iter(folders), "")
    used: set[str] = set()
    named = []
    for file in files:
        below = paths.shown(os.path.relpath(file.path, root or os.curdir))
        folder, name = posixpath.split(below)
        stem, ending = posixpath.splitext(name)
        if not media_files.is_media(name):  # known by its content alone; readers of shards go by endings
            stem, ending = name, ".wav"
        key = first = posixpath.join(folder, re.sub(r"\.", "_", stem))
        number = 1
        while key in used:
            number += 1
            key = f"{first}-{number}"
        used.add(key)
        named.append(dataclasses.replace(file, name=key + ending))
    return named


def _cut(split: str, files: Sequence[_File], shard_bytes: int) -> Iterator[tuple[str, list[_File]]]:
    """(name of a shard, its files), of all files of a split."""
    some: list[_File] = []
    size = number = 0
    for file in files:
        some.append(file)
        size += storage.size(file.path)
        if size >= shard_bytes or file is files[-1]:
            yield f"{split}-{number:06d}{archives.SUFFIX}", some
            some, size, number = [], 0, number + 1


def _described(folder: str | os.PathLike[str], names: Sequence[str]) -> tuple[index.Shard, ...]:
    full = [os.path.join(folder, name) for name in names]
    sums = progress.map_in_threads(index.checksum, full, "shards")
    return tuple(
        index.Shard(name, os.path.getsize(path), checksum)
        for name, path, checksum in zip(names, full, sums, strict=True)
    )


def _flush(file: Any) -> None:
    """Waits until a file is on the disk, so that a renamed folder is never without it."""
    file.flush()
    os.fsync(file.fileno())


def describe(header: index.Header) -> str:
    """A sentence on what was written."""
    size = sum(shard.size for shard in header.shards)
    return f"{counted(header.examples, 'example')} in {counted(len(header.shards), 'shard')}, {size / 1e6:,.1f} MB"
