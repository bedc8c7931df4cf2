"""A thread that writes files while the program continues."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

logger = logging.getLogger(__name__)


class WriterThread:
    """Calls functions in a thread, one at a time; one that waits is replaced by the next.

    As a context, it waits at the end for the last of them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next: Callable[[], None] | None = None
        self._is_busy = self._is_closed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> WriterThread:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.flush()
        except Exception as failure:
            if error is None:
                raise
            logger.warning("The last file could not be written: %s", failure)
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()

    def submit(self, write: Callable[[], None]) -> None:
        """Has `write` called soon; raises the error of an earlier one."""
        with self._changed:
            self._raise_error()
            self._next = write
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Waits until all is written; raises the error of the thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or (self._next is None and not self._is_busy))
            self._raise_error()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being written or waits to be."""
        with self._changed:
            return self._next is None and not self._is_busy

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._is_closed)
                if self._next is None:
                    return
                write, self._next, self._is_busy = self._next, None, True
            try:
                write()
            except BaseException as error:
                with self._changed:
                    self._error = error
            finally:
                with self._changed:
                    self._is_busy = False
                    self._changed.notify_all()
