"""Tar archives that are read by position: what is where in them is listed once in a process."""

import dataclasses
import errno
import functools
import os
import threading
from collections.abc import Mapping
from typing import Any

from pipelines import paths
from pipelines.errors import FileError
from pipelines.storage import remote, tar

SUFFIX = ".tar"
MAX_OPEN = 128  # archives that are open at once: a system lets a process open 1,024 files or fewer
MAX_MEMBER_BYTES = 2**30

Members = dict[str, tuple[int, int]]  # name -> (offset, size) in bytes


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """An archive and where its members are.

    Attributes:
        path: Of the archive: a file, or an address.
        members: Of regular files.
        fingerprints: Of the members' bytes, see `pipelines.datasets.fingerprints`, where an index has them.
    """

    path: str
    members: Members
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def place(self, name: str) -> tuple[int, int]:
        """(offset, size) of a member; FileNotFoundError for another name."""
        if name not in self.members:
            raise FileNotFoundError(errno.ENOENT, f"the archive has no such member ({os.strerror(errno.ENOENT)})")
        return self.members[name]

    def read(self, name: str) -> bytes:
        """Reads a member.

        Raises:
            FileError: It is too large, or the archive has become shorter.
            OSError: The archive cannot be read.
        """
        offset, size = self.place(name)
        shown = f"{paths.shown(self.path)}/{paths.shown(name)}"
        if size > MAX_MEMBER_BYTES:
            raise FileError(f"{shown} has {size:,} bytes: the maximum is {MAX_MEMBER_BYTES:,}; cut it.", "too large")
        data = remote.read(self.path, offset, size) if paths.is_address(self.path) else self._read(offset, size)
        if len(data) < size:
            raise FileError(
                f"{shown} is truncated: its archive ends inside it; copy the archive again.", "truncated or damaged"
            )
        return data

    def _read(self, offset: int, size: int) -> bytes:
        file = _opened(self)
        parts, missing = [], size
        while missing and (part := os.pread(file.fileno(), missing, offset + size - missing)):  # 2 GiB at most
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


_known: dict[str, Archive] = {}
_lock = threading.Lock()


def find(path: str | os.PathLike[str]) -> tuple[Archive, str] | None:
    """Finds the archive that a path leads into.

    Args:
        path: Of a file, or an archive's followed by a slash and the name of a member.

    Returns:
        The archive, which is listed where it was not before, and the name of the member, which it may not have; None
        where the path leads into no archive.

    Raises:
        UserError: The archive cannot be read or is damaged.
    """
    path = os.fspath(path)
    place = path.find(f"{SUFFIX}/")
    while place >= 0:
        name = path[: place + len(SUFFIX)]
        if name in _known:
            return _known[name], path[len(name) + 1 :]
        if paths.is_address(name) or os.path.isfile(name):
            return _listed(name), path[len(name) + 1 :]
        place = path.find(f"{SUFFIX}/", place + 1)
    return None


def add(path: str, members: Members, fingerprints: Mapping[str, str] | None = None) -> Archive:
    """Makes the members of an archive known, over what was known of it before.

    Args:
        path: Of the archive.
        members: Where they are.
        fingerprints: See `Archive`.

    Returns:
        The Archive.
    """
    _known[path] = Archive(path, members, fingerprints or {})
    return _known[path]


def _listed(path: str) -> Archive:
    with _lock:
        return _known.get(path) or add(path, {member.name: (member.offset, member.size) for member in tar.scan(path)})


@functools.lru_cache(maxsize=MAX_OPEN)
def _opened(archive: Archive) -> Any:
    """The open file; a thread that still reads it keeps it open."""
    return open(os.fsencode(archive.path), "rb", buffering=0)
