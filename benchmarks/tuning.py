"""Overhead of a sweep over its trainings, and memory of its main process: `python -m benchmarks.tuning`.

A sweep of an experiment with one worker, whose memory is read after every trial; then the same configurations by
`tfrec.fit`, one after another. The time of the sweep's trials runs from the start of the first to the end of the last;
that of the whole sweep includes the boundary configurations, which it builds first, and the measurement of its winner.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Literal

from rich.console import Console
from rich.table import Table

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.utils import console
from tuning import oracles

POLL_INTERVAL_S = 0.05


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Search an experiment, then train the same configurations without the sweep."""

    experiment: str = "digits"
    tuner: Literal[oracles.TUNERS] = "bayesian"
    objective: str = "loss"  # differs between trials, so that the search has values to model
    trials: int = 30
    epochs: int = 10  # of each


def resident_mb(pid):
    """Memory of a process, in 10^6 bytes."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def search(arguments, folder):
    """Runs the sweep; returns (seconds of its trials, seconds of all, memory after each trial)."""
    words = [arguments.experiment, "--run", str(folder), "--trials", str(arguments.trials), "--tuner", arguments.tuner]
    words += ["--objective", arguments.objective, f"--fit.epochs={arguments.epochs}"]
    started, memory, first, last = time.perf_counter(), [], None, None
    with subprocess.Popen([sys.executable, "-m", "tuning.sweep", *words], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            states = [json.loads(path.read_text())["status"] for path in folder.glob("oracle/trial_*/trial.json")]
            first = first or (time.perf_counter() if states else None)
            done = states.count("COMPLETED")
            if done > len(memory):
                memory.append(resident_mb(process.pid))
            if done == arguments.trials and last is None:
                last = time.perf_counter()
            time.sleep(POLL_INTERVAL_S)
    if process.returncode or last is None:
        raise UserError(
            f"The sweep ended with status {process.returncode} before the end of its {arguments.trials} trials."
        )
    return last - first, time.perf_counter() - started, memory


def train(folder, scratch):
    """Trains the same configurations, one after another; returns the seconds."""
    started = time.perf_counter()
    for path in sorted(folder.glob("trials/[0-9]*/config.json")):
        words = ["--config", str(path), "--no_test", "--export.no_after_fit", "--run", str(scratch / path.parent.name)]
        subprocess.run([sys.executable, "-m", "tfrec.fit", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.tuning")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch, "sweep")
        trials, whole, memory = search(arguments, folder)
        without_sweep = train(folder, pathlib.Path(scratch))
    title = f"{arguments.trials} trials of {arguments.experiment} by {arguments.tuner}"
    table = Table("what", "seconds", "ratio", title=title)
    for name, seconds in (
        ("without the sweep", without_sweep),
        ("the sweep's trials", trials),
        ("the whole sweep", whole),
    ):
        table.add_row(name, f"{seconds:.1f}", f"{seconds / without_sweep:.3f}")
    Console().print(table)
    Console().print(
        f"The sweep's own memory: {memory[0]:.0f} MB after the first trial, {memory[-1]:.0f} MB after the last,"
        f" {max(memory):.0f} MB at its maximum."
    )
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
