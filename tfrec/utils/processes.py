"""A command in a process of its own: its output in a file, its memory measured, its end that of who waits for it."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

FIT = (sys.executable, "-m", "tfrec.fit")
LOOK_SECONDS = 0.2  # between two looks at a command
MONITOR = pathlib.Path(__file__).with_name("process_monitor.py")


class Process:
    """`command` runs; what it prints is added to the file `log`, what it took to the file `record`.

    `environment` is added to that of this process. A context: the command is stopped where its block is left before the
    command has ended.
    """

    def __init__(self, command, log, record, environment=None):
        self.log, self.record = pathlib.Path(log), pathlib.Path(record)
        self._before = (self.log.stat().st_size if self.log.is_file() else 0, len(read_records(self.record)))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-IS", MONITOR, self.record, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C comes through `stop` and not twice
                env={**os.environ, **(environment or {})},
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait(self, seconds):
        """Whether the command has ended, after waiting for it at most so long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        """Interrupts the command as Ctrl-C does, and ends it where it does not end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def failure(self):
        """Why the command that has ended failed, as a sentence; None if it did not."""
        printed, records = self._before
        ended = read_records(self.record)[records:]
        status = ended[0]["status"] if ended else -signal.SIGKILL  # with its monitor
        if status == 0:
            return None
        if status == -signal.SIGKILL:
            return "Killed from outside, as the system does when memory runs out."
        if status < 0:
            return f"Ended by the signal {signal.Signals(-status).name}."
        return _last_words(self.log, printed) or f"Ended with status {status}."


def call(command, log, record, look=lambda: None, environment=None):
    """Runs a command to its end, as `Process` does, and returns why it failed, or None.

    Calls `look()` now and then; what that raises stops the command.
    """
    with Process(command, log, record, environment) as process:
        while not process.wait(LOOK_SECONDS):
            look()
    return process.failure()


def train(run, words, logs, follow, always=(), environment=None):
    """Trains a run in a process of its own, or goes on with it where it has begun; returns why that failed, or None.

    `words` are those of `tfrec.fit`, without the run, and `always` those that a run which goes on needs again.
    `follow(process, run)` waits until it has ended. What it prints and takes is in LABEL.txt and LABEL.jsonl of the
    folder `logs`. A run that has come to its very end is left alone.
    """
    if run.is_measured():
        return None
    if run.read_history():
        words = ["--resume"]
    else:
        shutil.rmtree(run.path, ignore_errors=True)  # not one epoch is lost
    log, record = (logs / f"{run.name}{suffix}" for suffix in (".txt", ".jsonl"))
    command = [*FIT, *words, *always, "--run", str(run.path)]
    with Process(command, log, record, environment) as process:
        follow(process, run)
    return process.failure()


@contextlib.contextmanager
def cores_divided(workers):
    """Inside, a process started gets its part of the cores, and of a GPU's memory only what it needs.

    One of several that each want all of them only waits, or fails.
    """
    share = str(max(1, (os.cpu_count() or 1) // workers))
    wanted = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), share)
    wanted["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    given = {name: value for name, value in wanted.items() if workers > 1 and name not in os.environ}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            del os.environ[name]


def read_records(record):
    """What each start of a command took, the oldest first: {"status", "peak_bytes", "seconds"}."""
    found = []
    if os.path.isfile(record):
        for line in pathlib.Path(record).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # of a disk that was full
                found.append(json.loads(line))
    return found


def _last_words(log, start):
    """The error with which a command ended: ours behind "error: ", or the last line of a traceback."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (told or lines or [""])[-1]
