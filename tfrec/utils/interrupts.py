"""Signals that end a program, or ask it to save: SIGTERM, SIGHUP, SIGUSR1 and Ctrl-C.

Inside `handled` a signal raises `Interrupted`, at once or, inside `deferred`, at the end of that block. Python calls no
handler while TensorFlow computes: where nothing is unsaved, a thread ends the process after `GRACE_S`.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

GRACE_S = 8.0  # between a signal and the end of the process, where nothing is unsaved
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SAVING = signal.SIGUSR1


class Interrupted(KeyboardInterrupt):
    """A signal has ended the work; the message says what is kept."""

    def __init__(self, signum: int, message: str = "") -> None:
        super().__init__(message)
        self.signum = signum

    @property
    def cause(self) -> str:
        """What a message begins with."""
        return "Interrupted" if self.signum == signal.SIGINT else f"Ended by {signal.Signals(self.signum).name}"


class _Handling:
    """The signals of one `handled` block."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self.save_requested = self.unsaved = False
        self.deferrals = 0
        self.ended = threading.Event()

    def on_signal(self, signum: int, frame: FrameType | None) -> None:
        """The handler, in the main thread."""
        if signum == SAVING:
            self.save_requested = True
            return
        if signum == self.signum == signal.SIGINT:
            os._exit(128 + signum)  # a second Ctrl-C does not wait for anything
        if self.signum is not None:
            return
        self.signum = signum
        if not self.deferrals:
            raise Interrupted(signum)

    def watch(self, pipe: int) -> None:
        """The thread: the pipe receives the number of each signal even while the main thread computes."""
        while True:
            received = os.read(pipe, 1)
            if not received or self.ended.is_set():
                return
            if received[0] in ENDING:
                break
        until = time.monotonic() + GRACE_S
        while not self.ended.wait(max(0.2, until - time.monotonic())):
            if not self.unsaved:
                text = f"error: {Interrupted(received[0]).cause}; nothing has been computed since the last save.\n"
                os.write(2, text.encode())
                os._exit(128 + received[0])


_active: list[_Handling] = []


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Context in which signals raise `Interrupted`; without effect inside another one, and outside the main thread."""
    if _active or threading.current_thread() is not threading.main_thread():
        yield
        return
    handling = _Handling()
    before = {each: signal.getsignal(each) for each in (*ENDING, SAVING)}
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    threading.Thread(target=handling.watch, args=(read_end,), daemon=True).start()
    _active.append(handling)
    old_pipe = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(each, handling.on_signal)
    try:
        yield
    finally:
        handling.ended.set()
        for each, handler in before.items():
            signal.signal(each, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(old_pipe)
        _active.remove(handling)
        os.close(write_end)  # which ends the thread


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Context inside which no signal raises; one that has come raises at its end."""
    if not _active:
        yield
        return
    handling = _active[0]
    handling.deferrals += 1
    try:
        yield
    finally:
        handling.deferrals -= 1
    if handling.signum is not None and not handling.deferrals:
        raise Interrupted(handling.signum)


def set_unsaved(value: bool) -> None:
    """Says whether something has been computed that a signal must not end before it is saved."""
    if _active:
        _active[0].unsaved = value


def pop_save_request() -> bool:
    """Returns whether SIGUSR1 has come since the last call."""
    if not _active or not _active[0].save_requested:
        return False
    _active[0].save_requested = False
    return True


def explain(interruption: Interrupted, what: Callable[[], str]) -> Interrupted:
    """An interruption with a message: its cause and what is kept."""
    return Interrupted(interruption.signum, f"{interruption.cause}: {what()}")


def status_of(stop: Any) -> int:
    """The exit status after a KeyboardInterrupt: 128 and the number of its signal."""
    return 128 + int(getattr(stop, "signum", signal.SIGINT))
