"""Atomic writes, locks of folders, and a check for free disk space."""

import contextlib
import errno
import fcntl
import math
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.errors import UserError

if TYPE_CHECKING:
    import keras

TEMPORARY = ".tmp-"  # begins the names of files that are being written


def require_space(model: "keras.Model", path: str | os.PathLike[str]) -> None:
    """Checks that the weights of a model fit on the disk: the HDF5 library crashes the process when a disk fills up.

    Args:
        model: built network; the weights of its optimizer, if it has one, count too.
        path: file that the weights will be written to.

    Raises:
        OSError: ENOSPC where the disk of `path` has too little free space.
    """
    variables = [*model.variables, *(model.optimizer.variables if getattr(model, "optimizer", None) else [])]
    size = sum(math.prod(variable.shape) * 4 + 4096 for variable in variables) + 65536  # HDF5's own tables
    if shutil.disk_usage(pathlib.Path(path).parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], durable: bool = False) -> Iterator[pathlib.Path]:
    """Context that yields a temporary path in the folder of `path`, and renames it to `path` at the end.

    Where the block raises, the temporary file is deleted and `path` stays unchanged.

    Args:
        path: file to write or to replace.
        durable: whether the file is on the disk at the end, so that it outlasts a loss of power.

    Yields:
        The temporary path, for the block to write to.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        os.replace(temporary, path)
        if durable:
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str], busy: str) -> Iterator[pathlib.Path]:
    """Context that yields an empty temporary folder next to `path`, and renames it to `path` at the end.

    Where the block raises, the temporary folder is deleted. What a killed process has left is deleted first.

    Args:
        path: folder to make; it does not exist, or is empty.
        busy: the message where another process makes the same folder.

    Yields:
        The temporary folder, for the block to fill.

    Raises:
        UserError: another process makes the folder.
        OSError: the folder cannot be made.
    """
    path = pathlib.Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.mkdir(exist_ok=True)
    with lock_folder(temporary, busy):
        try:
            for left in temporary.iterdir():
                left.unlink()
            yield temporary
            _sync(temporary)
            os.rename(temporary, path)
            _sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def made_folder(path: pathlib.Path) -> Iterator[None]:
    """Context in which a folder exists; those that it makes, and that hold nothing at its end, are deleted."""
    created = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # those that hold something stay
            for each in created:
                each.rmdir()


def nearest_existing(path: pathlib.Path) -> pathlib.Path:
    """A path itself where it exists, or else the nearest folder above that does."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def remove_temporary(folder: pathlib.Path) -> None:
    """Deletes what `atomic_write` leaves in a folder when the process is killed; no other process may write there."""
    for path in folder.glob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def _sync(path: pathlib.Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock_folder(path: str | os.PathLike[str], busy: str) -> Iterator[None]:
    """Context that locks a folder against other processes.

    Args:
        path: of the folder, which exists.
        busy: the message where another process holds the lock.

    Raises:
        UserError: another process holds the lock.
    """
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise UserError(busy) from None
    except OSError:
        pass  # the file system has no locks of folders
    try:
        yield
    finally:
        os.close(folder)
