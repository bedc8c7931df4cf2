"""Trainings that are killed at random moments, and the cost of their states: `python -m benchmarks.survival`.

Four trainings with augmentation, dropout and averaged weights: `digits` and clips in buckets of length, each with the
features on the device and on the host. Each is ended at random moments by SIGKILL or SIGTERM and resumed, until as many
ends as asked for have come; then all its variables and its history, but for the minutes, are compared with those of a
training without interruption. Processes are forked from one that has imported TensorFlow and not used it.

`--cost` measures how long a step waits for the state of a network of 30 million weights with Adam.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from tfrec.commands import fit as fit_command
from tfrec.config import flags
from tfrec.runs import training_state
from tfrec.runs.run import Run
from tfrec.utils import console

INTERVAL_S = 0.5  # between two states
COMMON = ("--export.no_after_fit", "--fit.average", "0.9", "--fit.checkpoint_minutes", str(INTERVAL_S / 60))


@dataclasses.dataclass(frozen=True)
class Arguments:
    """End trainings at random moments, resume them, and compare them with others that were not ended."""

    kills: int = 40  # number of SIGKILL
    terms: int = 10  # number of SIGTERM
    epochs: int = 12  # of each training
    seed: int = 0  # of the moments
    cost: bool = False  # measure the cost of a state instead


def write_clips(folder: pathlib.Path) -> pathlib.Path:
    """Tones in noise of two classes and of different lengths, 160 clips."""
    draw = np.random.default_rng(0)
    for label, hz in (("high", 1500), ("low", 300)):
        (folder / label).mkdir(parents=True)
        for i in range(80):
            samples = draw.integers(3000, 9000)
            wave = 0.3 * np.sin(2 * np.pi * hz * draw.uniform(0.8, 1.2) * np.arange(samples) / 8000)
            soundfile.write(folder / label / f"{i}.wav", wave + draw.normal(scale=0.1, size=samples), 8000)
    return folder


def trainings(folder: pathlib.Path, epochs: int) -> dict[str, list[str]]:
    """The words of each training's command."""
    clips = ["--data.name", "folder", "--data.path", str(write_clips(folder / "clips")), "--model.name", "cnn"]
    clips += ["--model.width", "8", "--fit.batch_size", "8", "--fit.batch_seconds", "6", "--frontend.time_masks", "1"]
    clips += ["--frontend.gain_db", "6", "--frontend.frequency_masks", "1"]
    digits = ["digits", "--model.width", "8", "--fit.batch_size", "32"]
    return {
        f"{name}, {placement}": [*words, *COMMON, "--fit.epochs", str(epochs), "--frontend.placement", placement]
        for name, words in (("digits", digits), ("speech", clips))
        for placement in ("device", "host")
    }


def start(words: list[str], log: pathlib.Path) -> int:
    """Starts `tfrec fit` in a child process; returns its number."""
    if child := os.fork():
        return child
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    status = 1
    try:
        console.configure_logging()
        console.run(lambda: fit_command.main(words))
    except SystemExit as stop:
        status = int(stop.code or 0)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def wait(child: int) -> int:
    """Waits for a child; returns its exit status, negative after a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclasses.dataclass
class Record:
    """What has been seen of one training."""

    kills: int = 0
    terms: int = 0
    longest_exit_s: float = 0.0  # between SIGTERM and the end
    most_repeated_s: float = 0.0  # between the last state and SIGKILL
    problems: list[str] = dataclasses.field(default_factory=list)


def end_and_resume(
    words: list[str], path: pathlib.Path, ends: list[int], seconds: float, draw: random.Random
) -> Record:
    """Ends a training by each of the signals at a random moment, resumes it, and lets it finish."""
    record, run, log = Record(), Run(path), path.with_suffix(".log")
    for signum in ends:
        child = start([*_words(words, path), "--run", str(path)], log)
        until = time.monotonic() + draw.uniform(0.1, 1.0) * seconds
        ended = 0
        while time.monotonic() < until and not (ended := os.waitpid(child, os.WNOHANG)[0]):
            time.sleep(0.02)
        if not ended:
            os.kill(child, signum)
            sent = time.monotonic(), time.time()
            status = wait(child)
            if signum == signal.SIGKILL:
                record.kills += 1
                written = [state.stat().st_mtime for state in run.states()]
                record.most_repeated_s = max(record.most_repeated_s, sent[1] - max(written)) if written else 0.0
            else:
                record.terms += 1
                record.longest_exit_s = max(record.longest_exit_s, time.monotonic() - sent[0])
                if status not in (0, 128 + signal.SIGTERM):
                    record.problems.append(f"status {status} after SIGTERM")
    if (status := wait(start([*_words(words, path), "--run", str(path)], log))) != 0:
        record.problems.append(f"status {status} of the last start, see {log}")
    return record


def _words(words: list[str], path: pathlib.Path) -> list[str]:
    """Those of the first start, or those that resume a run."""
    if (path / "config.json").is_file():
        return ["--resume", "--export.no_after_fit"]
    shutil.rmtree(path, ignore_errors=True)  # it was killed before anything was written
    return words


def differences(one: Run, other: Run) -> list[str]:
    """How the ends of two trainings differ."""
    states = [training_state.read(run) for run in (one, other)]
    histories = [[{**row, "minutes": 0} for row in state.values["history"]] for state in states]
    found = [] if histories[0] == histories[1] else ["history"]
    pairs = zip(states[0].variables, states[1].variables, strict=True)
    unequal = sum(not np.array_equal(first, second) for first, second in pairs)
    files = [sorted(path.name for path in run.path.iterdir()) for run in (one, other)]
    return [*found, *([f"{unequal} variables"] if unequal else []), *(["files"] if files[0] != files[1] else [])]


def survive(arguments: Arguments) -> int:
    """Prints what became of each training; returns the number of those that differ."""
    draw = random.Random(arguments.seed)
    table = Table("training", "kills", "SIGTERM", "longest exit, s", "most repeated, s", "differs", title="Survival")
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases = trainings(folder, arguments.epochs)
        ends = [signal.SIGKILL] * arguments.kills + [signal.SIGTERM] * arguments.terms
        draw.shuffle(ends)
        for number, (case, words) in enumerate(cases.items()):
            whole, ended = folder / f"whole{number}", folder / f"ended{number}"
            began = time.monotonic()
            status = wait(start([*words, "--run", str(whole)], whole.with_suffix(".log")))
            seconds = time.monotonic() - began
            if status:
                raise SystemExit(whole.with_suffix(".log").read_text())
            record = end_and_resume(words, ended, ends[number :: len(cases)], seconds, draw)
            found = record.problems or differences(Run(whole), Run(ended))
            failures += bool(found)
            figures = (f"{value:.1f}" for value in (record.longest_exit_s, record.most_repeated_s))
            table.add_row(case, str(record.kills), str(record.terms), *figures, ", ".join(found) or "nothing")
            if found:
                print(ended.with_suffix(".log").read_text()[-3000:])
    Console().print(table)
    return failures


def cost() -> None:
    """Prints how long a step waits for a state, and how long the thread writes it."""
    import keras

    from tfrec.config.schema import FitConfig
    from tfrec.training.checkpoint import TrainingCheckpoint
    from tfrec.training.optimizers import build_optimizer
    from tfrec.training.schedules import Schedule

    network = keras.Sequential([keras.Input((1000,)), *[keras.layers.Dense(2450) for _ in range(6)]])
    config = FitConfig()
    schedule = Schedule.for_training(config, 100)
    network.compile(build_optimizer(config, schedule, network.trainable_variables), loss="mse")
    inputs, targets = np.ones((8, 1000), "float32"), np.zeros((8, 2450), "float32")
    network.train_on_batch(inputs, targets)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = TrainingCheckpoint(Run(folder), network, config, schedule, 100, "min")
        checkpoint.set_model(network)
        steps = {"without a state": [], "saving": [], "the step after": []}
        writing = []

        def timed(call: Callable[[], object]) -> float:
            began = time.perf_counter()
            call()
            return time.perf_counter() - began

        for _ in range(5):
            step = lambda: network.train_on_batch(inputs, targets)  # noqa: E731
            steps["without a state"].append(min(timed(step) for _ in range(3)))
            checkpoint.state["step"] += 1
            steps["saving"].append(timed(checkpoint.save))
            began = time.perf_counter()
            steps["the step after"].append(timed(step))
            checkpoint.writer.flush()
            writing.append(time.perf_counter() - began)
        size = Run(folder).states()[-1].stat().st_size
    medians = {name: 1000 * float(np.median(seconds)) for name, seconds in steps.items()}
    print(json.dumps({"weights": network.count_params(), "state_mb": round(size / 1e6), **medians}))
    pause = medians["saving"] + max(0.0, medians["the step after"] - medians["without a state"])
    print(
        f"pause {pause:.0f} ms: {pause / 1000 / 300:.3%} of 5 minutes; the thread writes for {np.median(writing):.1f} s"
    )


def main(argv: list[str]) -> int:
    """Measures and prints."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.survival")
    if arguments.cost:
        cost()
        return 0
    return 1 if survive(arguments) else 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
