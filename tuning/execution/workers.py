"""The processes of a sweep: how the machine is divided among its workers, and how a process is started and polled."""

import functools
import logging
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from tfrec.runs.run import Run
from tfrec.studies import fit_process
from tfrec.utils import processes
from tfrec.utils.scheduler import Resources

logger = logging.getLogger(__name__)


def allocate(workers: int) -> list[Resources]:
    """Divides the cores that this process may use, and the GPUs, among workers.

    All get the same number of cores, so that latencies are comparable; if there are more workers than cores or GPUs,
    they share them. TensorFlow counts the cores that it is bound to; where a system cannot bind processes, variables
    give it the number.

    Args:
        workers: The number of workers, 1 or more.
    """
    if workers == 1:
        return [Resources()]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    share = max(1, (len(cores) or os.cpu_count() or 1) // workers)
    threads = {} if cores else dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(share))
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if gpus == [""]:
        gpus = list(map(str, range(len(tf.config.list_physical_devices("GPU")))))
    result = []
    for number in range(workers):
        own = tuple(cores[(number * share + i) % len(cores)] for i in range(share)) if cores else None
        environment = dict(threads)
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        if len(gpus) in range(1, workers):
            environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # else the first process takes all memory of a shared one
        result.append(Resources(own, environment))
    return result


def train_run(
    run: Run,
    words: Sequence[str],
    logs: pathlib.Path,
    poll: Callable[[], None],
    resume_words: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> str | None:
    """Trains a run in a process of its own, or resumes it; one that is killed is tried again, once.

    Args:
        run: The folder of the run.
        words: The command line of `tfrec fit`, without the folder.
        logs: The folder of the process's output.
        poll: Is called every `POLL_INTERVAL_S`; an exception from it stops the process.
        resume_words: Flags that the process needs also when it resumes.
        environment: Is added to the environment of the process.

    Returns:
        Why the training failed, or None.
    """
    call = functools.partial(processes.call, on_poll=poll, environment=environment)
    record = logs / f"{run.name}.jsonl"
    earlier = len(processes.read_records(record))
    reason = fit_process.fit(run, words, logs, call, resume_words)
    if reason is None or not processes.was_killed(record, earlier):
        return reason
    logger.info("Trial %s is tried again, once: %s", run.name, reason)
    return fit_process.fit(run, words, logs, call, resume_words)


def run_command(
    command: Sequence[str],
    log: pathlib.Path,
    record: pathlib.Path,
    poll: Callable[[], None] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> str | None:
    """Runs a command in a process of its own.

    Args:
        command: The program and its arguments.
        log: The file of its output.
        record: The file of its status, seconds and memory.
        poll: Is called now and then; an exception from it stops the process.
        environment: Is added to the environment of the process.

    Returns:
        Why the command failed, or None.
    """
    return processes.call(command, log, record, poll, environment)


def seconds_spent(logs: pathlib.Path, label: str) -> float | None:
    """Returns the seconds that the processes of a run have taken; None where they ran on another machine."""
    records = processes.read_records(logs / f"{label}.jsonl")
    return sum(record["seconds"] for record in records) if records else None
