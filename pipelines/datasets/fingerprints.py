"""Fingerprints of files: a hash of their bytes, which finds exact copies and files that have changed."""

import collections
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipelines import progress, storage
from pipelines.counts import share, verb
from pipelines.datasets.files import Row

SHOWN_COPIES = 3  # named in a note
_BLOCK = 1 << 20  # bytes read at once


def of_file(path: str) -> str:
    """Computes the fingerprint of a file.

    Args:
        path: The file.

    Returns:
        BLAKE2b of its bytes, 128 bits as 32 hexadecimal digits.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    with storage.open_binary(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def of_bytes(data: bytes) -> str:
    """Computes the fingerprint of a file with this content, as `of_file` does."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def of_files(paths: Iterable[str]) -> dict[str, str | None]:
    """Computes the fingerprints of files, several at once.

    Args:
        paths: The files; each is read once, however often it is listed.

    Returns:
        Path -> fingerprint; None for a file that cannot be read.
    """

    def attempt(path: str) -> str | None:
        try:
            return of_file(path)
        except OSError:
            return None

    unique = list(dict.fromkeys(paths))
    return dict(zip(unique, progress.map_in_threads(attempt, unique, "fingerprints"), strict=True))


def add(rows: Sequence[Row]) -> list[Row]:
    """Returns rows with the fingerprints of their files; that of a file that cannot be read is its path.

    Rows that have one keep it.
    """
    known = of_files(row.path for row in rows if not row.fingerprint)
    return [
        row if row.fingerprint else dataclasses.replace(row, fingerprint=known[row.path] or row.path) for row in rows
    ]


def identity(row: Row) -> str:
    """Returns what a row's example is by content: the fingerprint of its file, and its piece of the file."""
    if not row.start_s and row.end_s is None:
        return row.fingerprint
    return f"{row.fingerprint}:{row.start_s:g}:{'' if row.end_s is None else f'{row.end_s:g}'}"


def copy_notes(rows: Sequence[Row], parts: Mapping[str, np.ndarray]) -> list[str]:
    """Describes exact copies among rows.

    Args:
        rows: Rows with fingerprints.
        parts: Split name -> indices of rows.

    Returns:
        Sentences: how many copies there are, how many have different labels, and how many are in several splits.
    """
    groups: dict[str, list[int]] = collections.defaultdict(list)
    for i, row in enumerate(rows):
        groups[identity(row)].append(i)
    copies = [indices for indices in groups.values() if len(indices) > 1]
    if not copies:
        return []
    split_of = {int(i): name for name, indices in parts.items() for i in indices}
    apart = [indices for indices in copies if len({split_of[i] for i in indices}) > 1]
    together = "" if apart else "; copies are in the same split"
    total = sum(len(indices) - 1 for indices in copies)
    notes = [
        f"{share(total, len(rows), 'example')}"
        f" {verb(total, 'is an exact copy of another', 'are exact copies of others')}"
        f" ({_named(rows, copies)}){together}."
    ]
    differ = [indices for indices in copies if len({_target(rows[i]) for i in indices}) > 1]
    if differ:
        notes.append(
            f"{len(differ):,} of the copied examples {verb(len(differ), 'has', 'have')} several labels or texts"
            f" ({_named(rows, differ)}): correct them."
        )
    if apart:
        notes.append(
            f"{len(apart):,} of the copied examples {verb(len(apart), 'is', 'are')} in several splits, as the data's"
            f" own splits or groups say"
            f" ({_named(rows, apart)}): scores on them are too good."
        )
    return notes


def _target(row: Row) -> tuple[str, str, float | None]:
    return row.label, row.text, row.number


def _named(rows: Sequence[Row], groups: Sequence[Sequence[int]]) -> str:
    """The first copies of some groups, such as "a.png = b.png, ..."."""
    shown = [" = ".join(_short(rows[i].path) for i in indices[:2]) for indices in groups[:SHOWN_COPIES]]
    return ", ".join([*shown, *(["..."] if len(groups) > SHOWN_COPIES else [])])


def _short(path: str) -> str:
    """The last folder and the name of a file."""
    return os.path.join(*path.split(os.sep)[-2:])
