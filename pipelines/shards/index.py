"""The index of prepared shards: a JSON object per line, first on all of them, then on each example.

It says where each member is and what is known of it, so that no shard is read before its examples are. An index may say
anything: names stay inside its folder, members inside their shard.
"""

import collections
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from pipelines import paths, progress
from pipelines.datasets import fingerprints, tables
from pipelines.datasets.files import Row
from pipelines.errors import UserError
from pipelines.shards.places import Shards
from pipelines.storage import archives, remote, tar

FORMAT = "tfrec shards 1"
MAX_LINE = 2**20  # bytes of the line of an example
MAX_HEADER = 2**26  # of the first line, which names every shard

_Known = tuple[archives.Members, dict[str, str]]  # of a shard: where its members are, their fingerprints
# Ours -> a field of a Row; what is empty is not written.
_FIELDS = {"label": "label", "text": "text", "speaker": "speaker", "group": "group", "split": "split"}
_FIELDS |= {"number": "number", "start": "start_s", "end": "end_s"}


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file that the index describes."""

    name: str
    size: int  # bytes
    checksum: str  # of its bytes, see `fingerprints.of_file`


@dataclasses.dataclass(frozen=True)
class Entry:
    """What an index says of an example, next to the cells of its line."""

    fingerprint: str
    decoder: str  # see `files.Row`


@dataclasses.dataclass(frozen=True)
class Header:
    """The first line of an index."""

    shards: tuple[Shard, ...]
    examples: int
    classes: tuple[str, ...]
    verified: bool  # whether every file was decoded when the shards were written
    modality: Literal["image", "audio"]


def cells_of(row: Row) -> dict[str, Any]:
    """Returns what a row says of its example, as the columns of a manifest: those that are not empty."""
    own = {name: getattr(row, field) for name, field in _FIELDS.items()}
    own = {name: value for name, value in own.items() if value not in ("", None) and (name, value) != ("start", 0.0)}
    return {**{name: cell for name, cell in row.further if name not in ("path", *_FIELDS)}, **own}


def write(file: Any, header: Header, entries: Iterable[Mapping[str, Any]]) -> None:
    """Writes an index.

    Args:
        file: Open for text.
        header: Its first line.
        entries: Of each example: "shard" (its number), "name", "offset", "size", "fingerprint", "cells", and "decoder"
            where it is not empty.
    """
    first = {"format": FORMAT, **dataclasses.asdict(header)}
    for line in (first, *entries):
        file.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")


def read_header(path: str) -> Header:
    """Reads the first line of an index.

    Args:
        path: The index, a file or an address.

    Returns:
        The Header.

    Raises:
        UserError: It cannot be read, or is no index.
    """
    lines = _lines(path)
    try:
        return _header(path, next(lines, b""))
    finally:
        lines.close()


def read(shards: Shards, check_columns: tables.CheckColumns) -> Iterator[tuple[tables.Line, Entry]]:
    """Reads an index, and makes the members of its shards known.

    Args:
        shards: With an index.
        check_columns: As `tables.read` takes it.

    Yields:
        (the member of the example, column -> cell) and the Entry; the cell `path` is the path of the member.

    Raises:
        UserError: The index or a shard is damaged, or a shard is missing or of another size than the index says.
    """
    path = str(shards.index)
    lines = _lines(path)
    header = _header(path, next(lines, b""))
    folder = path.rpartition("/")[0]
    places = [f"{folder}/{shard.name}" if folder else shard.name for shard in header.shards]
    _check_sizes(places, header.shards)
    count, again = 0, collections.Counter[str]()  # parts of a recording after the first
    known: list[_Known] = [({}, {}) for _ in places]
    for place, own in zip(places, known, strict=True):
        archives.add(place, *own)
    for count, line in enumerate(lines, 1):
        where = f"{paths.shown(path)}:{count + 1}"
        entry = _entry(where, line)
        shard, name, place_in = _place(where, entry, header.shards)
        member = f"{places[shard]}/{name}"
        if _add(where, known[shard], name, place_in, entry["fingerprint"]):
            again[member] += 1
        shown = paths.shown(member) + (f"#{again[member] + 1}" if again[member] else "")
        cells = {"path": member, **{key: tables.cell(value) for key, value in entry["cells"].items() if key != "path"}}
        check_columns(shown, list(cells))
        yield (shown, cells), Entry(entry["fingerprint"], entry.get("decoder", ""))
    if count != header.examples:
        raise UserError(f"{paths.shown(path)} lists {count:,} of {header.examples:,} examples: copy it again.")


def _add(where: str, known: _Known, name: str, place: tuple[int, int], fingerprint: str) -> bool:
    """Adds a member to those of its shard; returns whether an earlier line has it; UserError where that differs."""
    members, known_fingerprints = known
    is_there = name in members
    if is_there and (members[name], known_fingerprints[name]) != (place, fingerprint):
        raise UserError(f"{where}: {paths.shown(name)} is not what an earlier line says: copy the index again.")
    members[name], known_fingerprints[name] = place, fingerprint
    return is_there


def check(shards: Shards, header: Header | None = None) -> None:
    """Compares local shards with their checksums; those with an address only by their sizes, as `read` does.

    Args:
        shards: With an index.
        header: Of the index, where it has been read.

    Raises:
        UserError: A shard has changed since the index was written.
    """
    path = str(shards.index)
    if paths.is_address(path):
        return
    header, folder = header or read_header(path), os.path.dirname(path)
    places = [os.path.join(folder, shard.name) for shard in header.shards]
    found = list(progress.map_in_threads(checksum, places, "shards"))
    changed = [place for place, shard, now in zip(places, header.shards, found, strict=True) if now != shard.checksum]
    if changed:
        raise UserError(
            f"{paths.shown(changed[0])} has changed since it was prepared ({len(changed):,} of {len(places):,} shards):"
            " copy it again, or prepare it again."
        )


def checksum(path: str) -> str:
    """The fingerprint of a shard's bytes; UserError where it cannot be read."""
    try:
        return fingerprints.of_file(path)
    except OSError as error:
        raise UserError(f"{paths.shown(path)} cannot be read: {error.strerror}.") from error


def _lines(path: str) -> Any:
    """The lines of an index, a generator; UserError where it cannot be read, or a line is long."""
    most = MAX_HEADER
    with tar.opened(path) as file:
        while line := file.readline(most + 1):
            if len(line) > most:
                raise UserError(f"{paths.shown(path)} has a line that is too long: it is no index of shards.")
            most = MAX_LINE
            yield line


def _json(where: str, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except RecursionError as error:
        raise UserError(f"{where} is not read: its lists and objects are too deep.") from error
    except ValueError as error:
        raise UserError(f"{where} is no line of an index of shards ({error}): copy it again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{where} is no line of an index of shards: copy it again.")
    return value


def _header(path: str, line: bytes) -> Header:
    shown = paths.shown(path)
    value = _json(f"{shown}:1", line)
    if value.get("format") != FORMAT:
        raise UserError(f"{shown} is no index that this version reads, which begins with the format {FORMAT!r}.")
    try:
        shards = tuple(Shard(str(each["name"]), int(each["size"]), str(each["checksum"])) for each in value["shards"])
        modality = {"image": "image", "audio": "audio"}[value["modality"]]
        classes, verified = tuple(map(str, value["classes"])), value["verified"] is True
        header = Header(shards, int(value["examples"]), classes, verified, cast(Any, modality))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{shown}:1 is damaged ({error!r:.100}): copy it again.") from error
    for shard in shards:
        is_plain = "/" not in shard.name and not shard.name.startswith(".") and "\0" not in shard.name
        if not is_plain or not shard.name.endswith(archives.SUFFIX):
            raise UserError(f"{shown}:1 names the shard {shard.name[:100]!r}, which is no .tar in its folder.")
    if len({shard.name for shard in shards}) < len(shards):
        raise UserError(f"{shown}:1 names a shard twice.")
    return header


def _check_sizes(places: Sequence[str], shards: Sequence[Shard]) -> None:
    for place, shard in zip(places, shards, strict=True):
        try:
            size = remote.size(place) if paths.is_address(place) else os.path.getsize(place)
        except OSError as error:
            raise UserError(f"{paths.shown(place)} cannot be read: {error.strerror or error}; copy it.") from error
        if size != shard.size:
            raise UserError(
                f"{paths.shown(place)} has {size:,} bytes, but had {shard.size:,} when it was prepared: copy it again."
            )


def _entry(where: str, line: bytes) -> dict[str, Any]:
    """The line of an example, whose parts have the right types."""
    entry = _json(where, line)
    kinds = {"shard": int, "name": str, "offset": int, "size": int, "fingerprint": str, "cells": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(entry.get(name), kind)]
    if wrong or entry.get("decoder", "") not in ("", "pillow"):
        raise UserError(f"{where}: {(wrong or ['decoder'])[0]} is missing or damaged: copy the index again.")
    return entry


def _place(where: str, entry: Mapping[str, Any], shards: Sequence[Shard]) -> tuple[int, str, tuple[int, int]]:
    """(number of the shard, name, (offset, size)); UserError where that is not inside a shard."""
    shard, name, offset, size = entry["shard"], entry["name"], entry["offset"], entry["size"]
    if not 0 <= shard < len(shards) or offset < 0 or size < 0 or offset + size > shards[shard].size:
        raise UserError(f"{where}: {paths.shown(name[:100])} is not inside a shard: copy the index again.")
    if not {"", ".", ".."}.isdisjoint(name.split("/")) or "\0" in name:
        raise UserError(f"{where}: {paths.shown(name[:100])!r} is no path inside a shard.")
    return shard, name, (offset, size)
