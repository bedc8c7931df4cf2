"""The headers of a tar archive: which members it has and where, without their content, and within bounds.

Python's tarfile parses single headers, which may say anything: their sizes, names and the end are checked here. Nothing
is ever unpacked.
"""

import contextlib
import dataclasses
import os
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pipelines import paths
from pipelines.errors import UserError
from pipelines.storage import remote

MAX_HEADER_BYTES = 2**20  # of what stands for one member in front of its content: long names, attributes
MAX_NAME = 4096  # characters of a member's name
MAX_MEMBERS = 20_000_000
MAX_CONTENT_BYTES = 2**20  # of a member that is read at once

_PACKED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
_BLOCK = 512
_TAIL_BYTES = 2**20  # behind the end that are looked through


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive.

    Attributes:
        name: Its path in the archive, without `./` in front.
        offset: Of its first byte in the archive.
        size: In bytes.
        content: Its bytes where they were asked for.
    """

    name: str
    offset: int
    size: int
    content: bytes | None = None


@dataclasses.dataclass
class Others:
    """Numbers of members that are no regular files; folders do not count."""

    links: int = 0
    devices: int = 0  # and pipes, sparse files


def scan(
    path: str, wants_content: Callable[[str], bool] = lambda name: False, others: Others | None = None
) -> Iterator[Member]:
    """Reads the headers of an archive.

    Args:
        path: A file, or an address.
        wants_content: From a member's name to whether its content is read.
        others: Everything but regular files is counted in it.

    Yields:
        The members in their order, each name once.

    Raises:
        UserError: The archive cannot be read, is packed, truncated or damaged, or has members whose names leave it or
            are there twice, or whose content is asked for and too large.
    """
    shown, others = paths.shown(path), others or Others()
    with opened(path) as file:
        _check_start(shown, file)
        seen: set[str] = set()
        for info in _headers(shown, file):
            if not info.isreg() or info.issparse():
                others.links += info.islnk() or info.issym()
                others.devices += not (info.isdir() or info.islnk() or info.issym())
                continue
            name = _name(shown, info.name)
            if name in seen:
                raise UserError(f"{shown} holds two members of the name {paths.shown(name)}: rename or remove one.")
            seen.add(name)
            if len(seen) > MAX_MEMBERS:
                raise UserError(f"{shown} holds more than {MAX_MEMBERS:,} members: make several archives of it.")
            content = _content(shown, file, info) if wants_content(name) else None
            yield Member(name, info.offset_data, info.size, content)


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Context with an open file or address; UserError where it cannot be read."""
    try:
        with remote.opened(path) if paths.is_address(path) else open(path, "rb") as file:
            yield file
    except OSError as error:
        raise UserError(f"{paths.shown(path)} cannot be read: {error.strerror or error}.") from error


def _check_start(shown: str, file: BinaryIO) -> None:
    head = file.read(_BLOCK)
    file.seek(0)
    if not head:
        raise UserError(f"{shown} is empty: replace or remove it.")
    for magic, kind in _PACKED:
        if head.startswith(magic):
            raise UserError(
                f"{shown} is packed by {kind}, so that no member can be read alone: unpack it to a plain .tar."
            )


def _headers(shown: str, file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The headers of all members; UserError where the archive is damaged or ends early."""
    end, start = file.seek(0, os.SEEK_END), 0
    file.seek(0)
    try:
        archive = tarfile.TarFile(fileobj=_Bounded(shown, file), mode="r")  # type: ignore[arg-type]  # what it calls
        while not _is_zero(shown, file, start):
            archive.offset = start
            info = tarfile.TarInfo.fromtarfile(archive)  # `next` would take a damaged header for the end
            if info.size < 0 or archive.offset < start + _BLOCK or info.offset_data + info.size > end:
                raise _damaged(shown, f"{info.size:,} bytes of {paths.shown(info.name[:100])!r} are not in it")
            start = archive.offset
            yield info
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError) as error:
        raise _damaged(shown, str(error)) from error


def _is_zero(shown: str, file: BinaryIO, start: int) -> bool:
    """Whether the archive ends at a position, which zeros mark; UserError where it just stops, or does not end."""
    file.seek(start)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK:
        raise UserError(f"{shown} is truncated: the mark of its end is missing; copy it again.")
    if block.strip(b"\0"):
        file.seek(start)
        return False
    if file.read(_TAIL_BYTES).strip(b"\0"):
        raise UserError(f"{shown} holds data behind its end: archives are joined by `tar -A`, not by `cat`.")
    return True


def _content(shown: str, file: BinaryIO, info: tarfile.TarInfo) -> bytes:
    if info.size > MAX_CONTENT_BYTES:
        raise UserError(
            f"{shown} holds {paths.shown(info.name)} of {info.size:,} bytes: labels and texts have at most"
            f" {MAX_CONTENT_BYTES:,}."
        )
    file.seek(info.offset_data)
    return file.read(info.size)


def _name(shown: str, name: str) -> str:
    """A member's name as the end of a path; UserError for one that leads elsewhere."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    if name.startswith("/") or "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")) or len(name) > MAX_NAME:
        raise UserError(
            f"{shown} holds a member of the name {paths.shown(name[:100])!r}: a name must be a path inside the archive"
            f" of at most {MAX_NAME:,} characters."
        )
    return name


def _damaged(shown: str, reason: str) -> UserError:
    reason = paths.shown(" ".join(reason.split())[:200])
    return UserError(f"{shown} is truncated or damaged ({reason}): copy it again.")


class _Bounded:
    """An open archive as tarfile reads it: no header is larger than MAX_HEADER_BYTES."""

    def __init__(self, shown: str, file: BinaryIO) -> None:
        self._shown, self._file = shown, file
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        """Reads some bytes."""
        if not 0 <= count <= MAX_HEADER_BYTES:
            raise _damaged(self._shown, f"a header of {count:,} bytes")
        return self._file.read(count)
