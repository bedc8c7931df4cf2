"""The lock of a folder that names the host and the process that hold it, so that it holds between hosts too."""

import contextlib
import json
import os
import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from pipelines.errors import UserError
from tfrec.utils import json_files
from tfrec.utils.files import lock_folder

FILE = ".lock"
HEARTBEAT_S = 10.0  # between two signs of life
STALE_S = 60.0  # without a sign of life, after which a process on another host is taken for dead


@contextlib.contextmanager
def hold_folder(path: str | os.PathLike[str], busy: str) -> Iterator[None]:
    """Context that locks a folder against other processes.

    On one host the system releases the lock of a process that has ended, however it ended. Where another host shares
    the folder, the file `.lock` counts too: the time of its last change is the last sign of life of its process.

    Args:
        path: of the folder, which exists.
        busy: the message where another process holds the lock, from its verb on.

    Raises:
        UserError: another process holds the lock.
    """
    record = pathlib.Path(path) / FILE
    with lock_folder(path, f"{_name(_read(record))} {busy}"):
        own = record.with_name(f"{FILE}-{os.getpid()}")
        own.write_text(json.dumps(_own()) + "\n", encoding="utf-8")
        holder = _read(record)
        if holder.get("host", socket.gethostname()) != socket.gethostname() and _age_s(record, own) < STALE_S:
            own.unlink()
            raise UserError(f"{_name(holder)} {busy}")
        os.replace(own, record)
        with _heartbeat(record):
            yield


@contextlib.contextmanager
def _heartbeat(record: pathlib.Path) -> Iterator[None]:
    """Context in which a thread renews the file's time; the file is deleted at its end."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):
                os.utime(record)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if _read(record) == _own():
            record.unlink(missing_ok=True)


def _own() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": os.getpid()}


def _read(record: pathlib.Path) -> dict[str, Any]:
    """Who holds the lock; empty where that is unknown."""
    try:
        holder = json_files.load(record, max_bytes=10_000)
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _age_s(record: pathlib.Path, now: pathlib.Path) -> float:
    """Seconds since a file has changed, by the clock of the file system, of which `now` was written just now."""
    try:
        return now.stat().st_mtime - record.stat().st_mtime
    except FileNotFoundError:
        return STALE_S


def _name(holder: dict[str, Any]) -> str:
    if holder.keys() >= {"host", "process"}:
        return f"Process {holder['process']} on {holder['host']}"
    return "Another process"
