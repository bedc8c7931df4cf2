"""The overhead of a sweep over its trainings, and the growth of its memory: `python -m benchmarks.tuning`.

It runs a sweep of an experiment with one worker, and reads its memory after every trial; then it trains the same
configurations with `tfrec fit` one after another. The time of the sweep is that from the start of its first trial to
the end of its last, since a sweep also checks the boundary of its space before and measures its winner afterwards; and
that of the whole command.
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
from tuning.oracles import construction

POLL_INTERVAL_S = 0.05


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Search an experiment, then train the same configurations by hand."""

    experiment: str = "digits"
    tuner: Literal[construction.TUNERS] = "bayesian"
    objective: str = "loss"  # a score that differs between trials, so that the search has something to optimize
    trials: int = 30
    epochs: int = 10  # of each


def resident_mb(pid):
    """Memory of a process, in 10^6 bytes."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def search(arguments, folder):
    """Runs the sweep; returns (seconds of its trials, seconds of the command, memory in MB after each trial)."""
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
        raise UserError(f"The sweep ended with status {process.returncode} before its {arguments.trials} trials had.")
    return last - first, time.perf_counter() - started, memory


def train(folder, scratch):
    """Trains the same configurations, one after another; returns the seconds."""
    started = time.perf_counter()
    for path in sorted(folder.glob("trials/[0-9]*/config.json")):
        words = ["--config", str(path), "--no_test", "--export.no_after_fit", "--run", str(scratch / path.parent.name)]
        subprocess.run([sys.executable, "-m", "tfrec", "fit", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.tuning")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch, "sweep")
        trials, whole, memory = search(arguments, folder)
        by_hand = train(folder, pathlib.Path(scratch))
    title = f"{arguments.trials} trials of {arguments.experiment} by {arguments.tuner}"
    table = Table("what", "seconds", "relative to by hand", title=title)
    for name, seconds in (("by hand", by_hand), ("the sweep's trials", trials), ("the whole sweep", whole)):
        table.add_row(name, f"{seconds:.1f}", f"{seconds / by_hand:.3f}")
    Console().print(table)
    Console().print(
        f"The sweep's own memory: {memory[0]:.0f} MB after the first trial, {memory[-1]:.0f} MB after the last,"
        f" {max(memory):.0f} MB maximum."
    )
    return 0


if __name__ == "__main__":
    console.run(main)
