"""Commands in sub-processes: output in a file, memory and time in another; the command ends when its parent does."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

POLL_INTERVAL_S = 0.5  # between two checks of whatever runs in sub-processes
MONITOR = pathlib.Path(__file__).with_name("process_monitor.py")


class Process:
    """A running command. As a context, it stops the command where the block is left before the command has ended.

    Args:
        command: program and arguments.
        log: file that standard output and standard error are appended to.
        record: file that `process_monitor` appends a line of JSON to: exit status, memory and time.
        environment: variables that are added to those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: str | os.PathLike[str],
        record: str | os.PathLike[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log, self.record = pathlib.Path(log), pathlib.Path(record)
        self._log_start = self.log.stat().st_size if self.log.is_file() else 0
        self._earlier_records = len(read_records(self.record))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-IS", MONITOR, self.record, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the command through `stop`, and only once
                env={**os.environ, **(environment or {})},
            )

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, timeout_s: float) -> bool:
        """Waits at most `timeout_s` seconds; returns whether the command has ended."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Interrupts the command as Ctrl-C does; the monitor kills it where it does not end in time."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def failure(self) -> str | None:
        """Returns one sentence on why the command, which has ended, failed; None where it succeeded."""
        records = read_records(self.record)[self._earlier_records :]
        status = records[0]["status"] if records else -signal.SIGKILL  # the monitor was killed, too
        if status == 0:
            return None
        if status == -signal.SIGKILL:
            return "The system killed the process, as it does when memory runs out."
        if status < 0:
            return f"Ended by signal {signal.Signals(-status).name}."
        return _error_message(self.log, self._log_start) or f"Ended with exit status {status}."


def call(
    command: Sequence[str],
    log: str | os.PathLike[str],
    record: str | os.PathLike[str],
    on_poll: Callable[[], object] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> str | None:
    """Runs a command to its end.

    Args:
        command: as for `Process`, like `log`, `record` and `environment`.
        log: file for what the command prints.
        record: file for what the command used.
        on_poll: called every POLL_INTERVAL_S seconds; an exception of it stops the command and is raised.
        environment: additional variables.

    Returns:
        Why the command failed, or None.
    """
    with Process(command, log, record, environment) as process:
        while not process.wait(POLL_INTERVAL_S):
            on_poll()
    return process.failure()


def was_killed(record: str | os.PathLike[str], earlier: int) -> bool:
    """Whether a signal ended the last start of a command.

    Args:
        record: as for `Process`.
        earlier: number of starts in it before the last one.
    """
    started = read_records(record)[earlier:]
    if not started:
        return True  # so was the monitor
    return started[-1]["status"] < 0 or started[-1]["status"] in (128 + signal.SIGTERM, 128 + signal.SIGHUP)


def read_records(record: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Returns a dict for each start of a command, the oldest first: {"status", "peak_bytes", "seconds"}."""
    records = []
    if os.path.isfile(record):
        for line in pathlib.Path(record).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # a line that was cut off by a full disk
                records.append(json.loads(line))
    return records


def _error_message(log: pathlib.Path, start: int) -> str:
    """The error that a command printed: the last line with our prefix "error: ", or else the last line."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1]
