"""Where the bytes of a path are: a file, or a member of a tar archive, which is named as if the archive were a folder.

`shards/train-0.tar/cat/1.jpg` is the member `cat/1.jpg` of the archive `shards/train-0.tar`; nothing is unpacked. An
archive may have an address, such as `s3://bucket/train-0.tar`, which fsspec opens. What reads pictures and audio opens
its files here.
"""

import contextlib
import io
import mmap
import os
from collections.abc import Iterator
from typing import BinaryIO

from pipelines import paths
from pipelines.storage import archives, remote


def is_member(path: str) -> bool:
    """Whether a path leads into an archive; the member need not exist."""
    return archives.find(path) is not None


def is_file(path: str) -> bool:
    """Whether there is a file or a member of this name.

    Raises:
        UserError: The archive is damaged.
    """
    found = archives.find(path)
    if found is None:
        return os.path.isfile(path)
    archive, name = found
    return name in archive.members and (paths.is_address(archive.path) or os.path.isfile(archive.path))


def walk(folder: str) -> list[str]:
    """Lists all files below a folder or an address, and the members of its archives.

    Raises:
        OSError: An address cannot be read.
        UserError: An archive is damaged.
    """
    if folder.endswith(archives.SUFFIX) and (paths.is_address(folder) or os.path.isfile(folder)):
        found = archives.find(f"{folder}/")
        return [f"{folder}/{name}" for name in found[0].members] if found else []
    if paths.is_address(folder):
        files = [f"{folder.rstrip('/')}/{name}" for name in remote.names_below(folder) or ()]
    else:
        files = [os.path.join(below, name) for below, _, names in os.walk(folder) for name in names]
    return [path for file in files for path in (walk(file) if file.endswith(archives.SUFFIX) else [file])]


def exists(path: str) -> bool:
    """Whether there is a file, a folder or a member of this name, or something at an address; errors as `walk`."""
    found = archives.find(path)
    if found is not None:
        return found[1] in found[0].members
    return remote.exists(path) if paths.is_address(path) else os.path.exists(path)


def size(path: str) -> int:
    """The number of bytes of a file or a member; OSError where it does not exist."""
    found = archives.find(path)
    return os.path.getsize(path) if found is None else found[0].place(found[1])[1]


def open_binary(path: str | os.PathLike) -> BinaryIO:
    """Opens a file, or a member in memory, for reading.

    Raises:
        OSError: It cannot be read.
        UserError: The archive is damaged.
    """
    found = archives.find(path)
    return open(os.fsencode(path), "rb") if found is None else io.BytesIO(found[0].read(found[1]))


def read(path: str) -> bytes:
    """All bytes of a file or a member; raises what `open_binary` raises."""
    found = archives.find(path)
    if found is not None:
        return found[0].read(found[1])
    with open(os.fsencode(path), "rb") as file:
        return file.read()


def known_fingerprint(path: str) -> str | None:
    """The fingerprint of a member by the index of its archive; None where none is known."""
    found = archives.find(path)
    return None if found is None else found[0].fingerprints.get(found[1])


def for_library(path: str | os.PathLike[str]) -> bytes | BinaryIO:
    """What a library opens in the place of a path: the encoded name of a file, or the open member of an archive."""
    return os.fsencode(path) if archives.find(path) is None else open_binary(path)


@contextlib.contextmanager
def content(file: BinaryIO) -> Iterator[mmap.mmap | bytes]:
    """All bytes of what `open_binary` returned, without a copy in memory where it is a file; it is not empty."""
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
    else:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
