"""Object stores and other file systems with addresses, such as `s3://bucket/folder`, by fsspec.

fsspec is the extra `remote`; most kinds of address need a package of their own, which its message names.
"""

import contextlib
import functools
import posixpath
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

from pipelines import paths
from pipelines.errors import UserError

_opening, _caching = threading.Lock(), threading.Lock()
_cached: set[str] = set()  # addresses with a prefix such as simplecache:: that have been copied

INSTALL = 'pip install "tfrec[remote]"'


def read(path: str, offset: int, size: int) -> bytes:
    """Reads bytes of a file.

    Args:
        path: Its address.
        offset: Of the first byte.
        size: Number of bytes.

    Returns:
        The bytes; fewer at the end of the file.

    Raises:
        OSError: It cannot be read.
        UserError: The kind of address is unknown, or needs a package that is not installed.
    """
    system, name = _system(path)
    with _os_errors(path):
        if "::" in path and path not in _cached:
            with _caching:  # other threads take a half copy for the file
                system.cat_file(name, start=0, end=1)
                _cached.add(path)
        return system.cat_file(name, start=offset, end=offset + size) if size else b""


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Opens a file for reading, in blocks that are read ahead.

    Args:
        path: Its address.

    Yields:
        The open file.

    Raises:
        OSError: As `read` raises it, also while the file is read.
        UserError: Likewise.
    """
    system, name = _system(path)
    with _os_errors(path), system.open(name, "rb") as file:
        yield file


def size(path: str) -> int:
    """The number of bytes of a file; raises what `read` raises."""
    system, name = _system(path)
    with _os_errors(path):
        return int(system.size(name))


def exists(path: str) -> bool:
    """Whether there is a file or a folder at an address; raises what `read` raises."""
    system, name = _system(path)
    with _os_errors(path):
        return bool(system.exists(name))


def names_below(path: str) -> list[str] | None:
    """Lists a folder.

    Args:
        path: Its address.

    Returns:
        The paths of the files at any depth below it, from it on; None where there is no such folder.

    Raises:
        OSError: As `read` raises it.
        UserError: Likewise.
    """
    system, name = _system(path)
    with _os_errors(path):
        if not system.isdir(name):
            return None
        found = system.find(name)
    return [posixpath.relpath(each, name) for each in found]


def _system(path: str) -> tuple[Any, str]:
    """Fsspec's file system of an address, and what it calls the file."""
    folder, _, last = path.rstrip("/").rpartition("/")
    with _opening:
        if folder.endswith((":", "/")):  # of the address of a bucket
            return _opened_folder(path)
        system, name = _opened_folder(folder)
    return system, f"{name.rstrip('/')}/{last}"


@functools.lru_cache(maxsize=1024)
def _opened_folder(path: str) -> tuple[Any, str]:
    """One file system for all threads: fsspec has one for each, and each would keep copies of its own."""
    try:
        import fsspec
    except ImportError as error:
        raise UserError(f"{paths.shown(path)} is an address, which needs fsspec: {INSTALL}.") from error
    try:
        return fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:  # a kind without its package; an unknown one
        raise UserError(f"{paths.shown(path)} cannot be opened: {_sentence(error)}.") from error


@contextlib.contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Raises OSError for what the clients of object stores raise, which have no base class in common."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        raise OSError(f"{paths.shown(path)}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    return paths.shown(" ".join(str(error).split())[:300] or type(error).__name__).rstrip(".")
