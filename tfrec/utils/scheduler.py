"""Runs jobs in parallel: worker threads pull jobs from a source and run their commands in sub-processes.

The thread that calls `Scheduler.run` polls and runs all callbacks, so that these may draw and print. Ctrl-C,
or an exception of a callback, interrupts the commands that run and starts no other.
"""

import contextlib
import dataclasses
import os
import pathlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tfrec.utils.processes import POLL_INTERVAL_S, Process

STOP_TIMEOUT_S = 30.0  # for a worker to stop; its commands are killed before, see `process_monitor`


class JobError(Exception):
    """A job failed; the message is the reason, as one sentence."""


class StoppedError(Exception):
    """A job was stopped: it has neither finished nor failed."""


@dataclasses.dataclass(frozen=True)
class Resources:
    """What the commands of one worker use: `cores` (None: any) and variables that are added to their environment."""

    cores: tuple[int, ...] | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def bind_thread(self) -> None:
        """Binds the calling thread to the cores; processes that it starts inherit this."""
        if self.cores:
            os.sched_setaffinity(0, self.cores)


@dataclasses.dataclass(frozen=True)
class Job:
    """Work for one worker.

    `run(worker)` runs the job's commands by `worker.call`, and returns the job's result. It raises JobError where the
    job fails, and StoppedError where it is to stop without a result.
    """

    label: str
    run: Callable[["Worker"], Any]


# Returns the next job for a worker, or None at the end; it may wait by `Worker.sleep`.
JobSource = Callable[["Worker"], Job | None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended: with a result, or with the reason why it failed."""

    job: Job
    result: Any = None
    failure: str | None = None


def share_cores(workers: int) -> list[Resources]:
    """Divides the CPU cores of this machine among workers, and lets them share its GPUs.

    TensorFlow takes the number of its threads from the environment, where variables that are already set are kept. A
    process that takes all cores slows the others down; one that takes all memory of a GPU makes them fail.

    Args:
        workers: number of workers; a single one gets everything.

    Returns:
        The resources of each worker.
    """
    if workers == 1:
        return [Resources()]
    share = str(max(1, (os.cpu_count() or 1) // workers))
    wanted = {"TF_NUM_INTRAOP_THREADS": share, "TF_NUM_INTEROP_THREADS": share, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    environment = {name: value for name, value in wanted.items() if name not in os.environ}
    return [Resources(environment=environment) for _ in range(workers)]


class Worker(threading.Thread):
    """A thread of a Scheduler; jobs get it to run their commands. Workers are numbered from 0."""

    def __init__(self, number: int, resources: Resources, source: JobSource, scheduler: "Scheduler") -> None:
        super().__init__(name=f"worker{number}", daemon=True)
        self.number, self.resources = number, resources
        self.error: BaseException | None = None
        self._source, self._scheduler = source, scheduler

    def run(self) -> None:
        """Runs job after job; an unexpected exception is kept in `error`."""
        try:
            self.resources.bind_thread()
            while not self._scheduler.stopping.is_set() and (job := self._source(self)) is not None:
                with contextlib.suppress(StoppedError):
                    self._scheduler.finish(self._run_job(job))
        except StoppedError:  # of the source
            pass
        except BaseException as error:
            self.error = error
        finally:
            self._scheduler.outcomes.put(None)

    def _run_job(self, job: Job) -> Outcome:
        self._scheduler.running[self.number] = job
        try:
            return Outcome(job, job.run(self))
        except JobError as error:
            return Outcome(job, failure=str(error))
        finally:
            del self._scheduler.running[self.number]

    def call(
        self,
        command: Sequence[str],
        log: pathlib.Path,
        record: pathlib.Path,
        on_poll: Callable[[], object] = lambda: None,
    ) -> str | None:
        """Runs a command with the worker's resources to its end, as `processes.call` does.

        Args:
            command: program and arguments.
            log: file for what the command prints.
            record: file for what the command used.
            on_poll: called on this thread while the command runs; an exception of it stops the command and is raised.

        Returns:
            Why the command failed, or None.

        Raises:
            StoppedError: where the scheduler stops; the command is interrupted before.
        """
        self.check_stopped()
        with Process(command, log, record, self.resources.environment) as process:
            while not process.wait(POLL_INTERVAL_S):
                self.check_stopped()
                on_poll()
        return process.failure()

    def check_stopped(self) -> None:
        """Raises StoppedError where the scheduler stops."""
        self.sleep(0)

    def is_stopping(self) -> bool:
        """Whether the scheduler stops."""
        return self._scheduler.stopping.is_set()

    def sleep(self, seconds: float) -> None:
        """Waits `seconds`; raises StoppedError as soon as the scheduler stops."""
        if self._scheduler.stopping.wait(seconds):
            raise StoppedError


class Scheduler:
    """Runs jobs with one worker for each element of `resources`.

    Attributes:
        running: {number of a worker: its current job}.
        stopping: set as soon as no other job is to start.
        outcomes: how jobs ended, each with an event for when it is handled; None where a worker has ended.
    """

    def __init__(self, resources: Sequence[Resources] = (Resources(),)) -> None:
        self.resources = resources
        self.running: dict[int, Job] = {}
        self.stopping = threading.Event()
        self.outcomes: queue.Queue[tuple[Outcome, threading.Event] | None] = queue.Queue()

    def run(
        self,
        jobs: Iterable[Job] | JobSource,
        on_finish: Callable[[Outcome], object] = lambda _: None,
        on_poll: Callable[[], object] = lambda: None,
        on_stop: Callable[[], object] = lambda: None,
    ) -> None:
        """Runs all jobs to their end.

        Whether a failing job stops the others is for `on_finish` to decide: an exception of it stops them.

        Args:
            jobs: the jobs in their order, or a function that workers call for their next job until it returns None.
            on_finish: called with the Outcome of each job that finished or failed, before its worker starts another.
            on_poll: called every POLL_INTERVAL_S seconds, and after each job.
            on_stop: called once, before the workers are waited for.

        Raises:
            BaseException: the first exception of a callback, the source, or a job, after all commands have been
                stopped; JobError and StoppedError of a job aside.
        """
        source = jobs if callable(jobs) else _in_order(jobs)
        workers = [Worker(number, resources, source, self) for number, resources in enumerate(self.resources)]
        try:
            for worker in workers:
                worker.start()
            while any(worker.is_alive() for worker in workers):
                with contextlib.suppress(queue.Empty):
                    if finished := self.outcomes.get(timeout=POLL_INTERVAL_S):
                        outcome, handled = finished
                        on_finish(outcome)
                        handled.set()
                on_poll()
                self._raise_error(workers)
            self._raise_error(workers)
        finally:
            self.stopping.set()
            on_stop()
            _join(workers)

    def finish(self, outcome: Outcome) -> None:
        """Hands an outcome to the thread that polls, and waits until it is handled; for workers."""
        handled = threading.Event()
        self.outcomes.put((outcome, handled))
        while not handled.wait(POLL_INTERVAL_S):
            if self.stopping.is_set():
                raise StoppedError

    @staticmethod
    def _raise_error(workers: list[Worker]) -> None:
        for worker in workers:
            if worker.error is not None:
                raise worker.error


def _in_order(jobs: Iterable[Job]) -> JobSource:
    iterator, lock = iter(jobs), threading.Lock()

    def source(_: Worker) -> Job | None:
        with lock:
            return next(iterator, None)

    return source


def _join(workers: list[Worker]) -> None:
    """Waits for the workers; another Ctrl-C does not leave commands behind that are being stopped."""
    end = time.monotonic() + STOP_TIMEOUT_S
    for worker in workers:
        while worker.is_alive() and time.monotonic() < end:
            with contextlib.suppress(KeyboardInterrupt):
                worker.join(POLL_INTERVAL_S)
