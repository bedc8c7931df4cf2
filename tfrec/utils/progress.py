"""Progress of many trainings: a live line on a terminal, otherwise a log line each minute."""

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Sequence

import rich.console

from pipelines import progress as loops
from tfrec.utils.console import console

REPORT_INTERVAL_S = 60.0  # between two log lines where there is no terminal
LOOP_DELAY_S = 2.0  # shorter loops show nothing

logger = logging.getLogger(__name__)


class Progress:
    """Context that shows how much is done, what runs, the best score so far, and an estimate of the time left.

    Args:
        unit: what is counted, in the plural: "models".
        total: how many there are, None where that is unknown.
        done: how many were done before this start; they do not count for the estimate.
        deadline: time of `time.monotonic` at which the work ends at the latest, or None.
        terminal: where the live line is shown; None is standard output.
        after_s: work that ends within these seconds shows nothing.

    Attributes:
        done: how many are done; a fraction says how much of the next.
    """

    def __init__(
        self,
        unit: str,
        total: int | None,
        done: int = 0,
        deadline: float | None = None,
        terminal: rich.console.Console | None = None,
        after_s: float = 0.0,
    ) -> None:
        self.unit, self.total, self.deadline, self.after_s = unit, total, deadline, after_s
        self.done: float = done
        self._done_before, self._started = done, time.monotonic()
        self._reported = self._started if after_s else -math.inf
        terminal = terminal or console
        self._status = terminal.status("") if terminal.is_terminal else None
        self._is_shown = False

    def __enter__(self) -> "Progress":
        if not self.after_s:
            self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status and self._is_shown:
            self._status.stop()

    def _show(self) -> None:
        if self._status and not self._is_shown:
            self._status.start()
            self._is_shown = True

    def update(self, running: Sequence[str] = (), best: str | None = None, seconds_left: float | None = None) -> None:
        """Shows the current state; to be called often.

        Args:
            running: a description of each job that runs.
            best: the best score so far and whose it is.
            seconds_left: an estimate that replaces the one from the pace so far.
        """
        if time.monotonic() - self._started < self.after_s:
            return
        if self._status:
            self._status.update(self.line(running, best, seconds_left))
            self._show()
        elif time.monotonic() - self._reported >= REPORT_INTERVAL_S:
            self._reported = time.monotonic()
            logger.info(self.line(running, best, seconds_left))

    def line(self, running: Sequence[str] = (), best: str | None = None, seconds_left: float | None = None) -> str:
        """Returns the line that `update` shows."""
        done = f"{math.floor(self.done):,}"
        parts = [f"{done} of {self.total:,} {self.unit}" if self.total else f"{done} {self.unit}"]
        if running:
            parts.append(f"running {', '.join(running)}")
        if best:
            parts.append(f"best {best}")
        left = self.seconds_left() if seconds_left is None else seconds_left
        if left is not None:
            parts.append(f"about {format_duration(left)} left")
        return "; ".join(parts)

    def seconds_left(self) -> float | None:
        """Estimates the time left from the pace so far and the deadline; None where neither is known."""
        now, bounds = time.monotonic(), []
        if self.total and self.done > self._done_before:
            pace = (now - self._started) / (self.done - self._done_before)
            bounds.append(pace * (self.total - self.done))
        if self.deadline is not None:
            bounds.append(max(0.0, self.deadline - now))
        return min(bounds, default=None)


def show_loops() -> None:
    """Shows the loops of `pipelines.progress.track`: after two seconds on a terminal, otherwise after a minute."""
    loops.show_by(_show_loop)


_open_loops: list[str] = []  # a terminal shows one at a time


@contextlib.contextmanager
def _show_loop(unit: str, total: int) -> Iterator[loops.Update]:
    """A context whose function shows a loop's progress."""
    is_inside = bool(_open_loops)
    _open_loops.append(unit)
    try:
        with Progress(unit, total, after_s=LOOP_DELAY_S) as progress:

            def update(done: int) -> None:
                if not is_inside:
                    progress.done = done
                    progress.update()

            yield update
    finally:
        _open_loops.remove(unit)


def format_duration(seconds: float) -> str:
    """Returns a duration in a readable unit.

    >>> format_duration(42.4), format_duration(150), format_duration(9000)
    ('42 s', '2 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
