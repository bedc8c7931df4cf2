"""A study: many trainings that differ in one thing, each with several seeds, and tables of what came out.

study.json            how it was started
study.md, NAME.csv    the tables
runs/LABEL/           an ordinary run for each training
logs/LABEL.txt        what it printed
"""

import concurrent.futures
import csv
import dataclasses
import io
import sys
import threading

import numpy as np
from rich import box
from rich.table import Table as TerminalTable

from pipelines.errors import UserError
from tfrec.evaluation.metrics.per_example import COUNTED, TITLES
from tfrec.runs.run import Run
from tfrec.utils import processes
from tfrec.utils.console import console

LOOK_SECONDS = 1.0  # between two looks at a training


@dataclasses.dataclass(frozen=True)
class Options:
    """What every study takes."""

    report: str | None = None  # folder of the runs and the tables; None is runs/STUDY
    seeds: tuple[int, ...] = (0, 1, 2)  # of weights, order, augmentation and the choice of examples
    workers: int = 1  # trainings at once; cores are divided among them
    resume: bool = False  # go on with the study in --report

    def __post_init__(self):
        if not 1 <= self.workers <= 64:
            raise ValueError(f"workers must be from 1 to 64. Received: {self.workers}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must name at least one, each once. Received: {self.seeds}")


@dataclasses.dataclass(frozen=True)
class Step:
    """One training: its run's folder, the row of the table that it belongs to, and the words for `tfrec.fit`.

    A row of None is none: others start from what it has learned. `group` are the columns of the row that it fills, and
    `measures` are pairs that measure the run further: the file that is written, and the words of an entry point.
    """

    label: str
    row: str | None
    words: tuple[str, ...]
    group: str = ""
    measures: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """What came out: text for people (headings, lines) and the numbers behind it (records)."""

    name: str
    title: str
    headings: tuple[str, ...]
    lines: list[tuple[str, ...]]
    records: list[dict]


def train(folder, steps, workers=1):
    """Trains and measures what is not yet, `workers` at once; UserError where one fails.

    What others start from comes before all else.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    waiting = [step for step in steps if not _is_done(folder, step)]
    stopped = threading.Event()
    for part in ([s for s in waiting if s.row is None], [s for s in waiting if s.row is not None]):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            try:
                results = [pool.submit(_go, folder, step, stopped) for step in part]
                for result in concurrent.futures.as_completed(results):
                    result.result()
            except BaseException:
                stopped.set()  # for the trainings that run; the others shall not begin
                pool.shutdown(cancel_futures=True)
                raise


def _is_done(folder, step):
    run = Run(folder / "runs" / step.label)
    return run.is_measured() and not _unmeasured(run, step)


def _unmeasured(run, step):
    return [words for file, words in step.measures if not (run.path / file).is_file()]


def _go(folder, step, stopped):
    """Trains and measures one."""
    run, logs = Run(folder / "runs" / step.label), folder / "logs"

    def wait(process, _=None):
        while not process.wait(LOOK_SECONDS) and not stopped.is_set():
            pass

    console.print(f"{step.label}: {step.row or 'what others start from'}{f', {step.group}' if step.group else ''}")
    reason = processes.train(run, [*step.words, "--export.no_after_fit"], logs, wait)
    for command, *words in _unmeasured(run, step):
        if reason or stopped.is_set():
            break
        log, record = logs / f"{step.label}.txt", logs / f"{step.label}-measure.jsonl"
        with processes.Process([sys.executable, "-m", "tfrec", command, str(run.path), *words], log, record) as process:
            wait(process)
        reason = process.failure()
    if stopped.is_set():
        return
    if reason:
        raise UserError(f"{step.label} failed: {reason} See {logs / step.label}.txt; --resume goes on.")
    console.print(f"    {step.label}: {_told(run)}")


def score(run):
    """(name, value) of what a finished run is judged by on its test split: "accuracy", "wer" or "per"."""
    test = run.read_json("metrics.json")["test"]
    name = next(name for name in COUNTED if name in test)
    return name, test[name]


def _told(run):
    """How a finished run does on its test split, in few words."""
    name, value = score(run)
    return f"{value:.2%} of the test split" if name == "accuracy" else f"{name.upper()} {value:.2%} on the test split"


def rows(folder, steps, baseline):
    """What came out: a dict for each row of the table, with its "values", "mean", "interval", "margin", ...

    Intervals are Student's t at 95 % over the seeds, None for a single seed; the margin is over the row `baseline`,
    seed by seed.
    """
    values = {}
    for step in (step for step in steps if step.row):
        values.setdefault(step.row, []).append(score(Run(folder / "runs" / step.label))[1])
    result = []
    for row, found in values.items():
        margin = None
        if row != baseline and len(found) == len(values[baseline]):
            margin = np.subtract(found, values[baseline])
        result.append(
            {
                "row": row,
                "values": found,
                "mean": float(np.mean(found)),
                "interval": interval(found),
                "margin": None if margin is None else float(np.mean(margin)),
                "margin_interval": None if margin is None else interval(margin),
            }
        )
    return result


def interval(values):
    """Student's t interval at 95 % of the mean of a few values; None for one value."""
    from scipy import stats  # slow to import

    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return float(np.mean(values) - half), float(np.mean(values) + half)


def margins(folder, steps, baseline, name, title):
    """The Table of accuracies or error rates, and of their margins over the row `baseline`."""
    found = rows(folder, steps, baseline)
    first = next(step for step in steps if step.row)
    measured = TITLES[score(Run(folder / "runs" / first.label))[0]]
    headings = ("training", f"{measured}, %", "95 % interval", "margin, points", "95 % interval", "each seed, %")
    records = [
        {
            "training": row["row"],
            "mean": row["mean"],
            **dict(zip(("low", "high"), row["interval"] or ("", ""), strict=True)),
            "margin": row["margin"],
            **dict(zip(("margin_low", "margin_high"), row["margin_interval"] or ("", ""), strict=True)),
            "values": " ".join(map(str, row["values"])),
        }
        for row in found
    ]
    return Table(name, title, headings, [_cells(row) for row in found], records)


def _cells(row):
    return (
        row["row"],
        points(row["mean"]),
        span(row["interval"]),
        points(row["margin"]),
        span(row["margin_interval"]),
        ", ".join(points(value) for value in row["values"]),
    )


def points(value):
    """A share in percent, or nothing for None."""
    return "" if value is None else f"{100 * value:.1f}"


def span(bounds):
    """An interval of shares in percent, or nothing for None."""
    return "" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def for_terminal(table):
    """A Table for the terminal."""
    result = TerminalTable(box=box.SIMPLE, title=table.title)
    for number, heading in enumerate(table.headings):
        result.add_column(heading, justify="right" if number else "left")
    for line in table.lines:
        result.add_row(*line)
    return result


def write(folder, tables):
    """Writes study.md and a CSV file for each table."""
    text = []
    for table in tables:
        lines = [table.headings, ["---", *["---:"] * (len(table.headings) - 1)], *table.lines]
        text.append(f"{table.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines))
        written = io.StringIO()
        writer = csv.DictWriter(written, list(table.records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table.records)
        Run(folder).write_text(f"{table.name}.csv", written.getvalue())
    Run(folder).write_text("study.md", "\n".join(text))


def settings(options):
    """What a study's folder keeps of its options: all that decides what comes out."""
    kept = dataclasses.asdict(options)
    del kept["report"], kept["workers"], kept["resume"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def start(path, stored, resume):
    """The study's folder, new or, with `resume`, the one that was started alike; UserError otherwise."""
    folder = Run(path)
    if not resume:
        folder.require_empty("--report")
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_json("study.json", stored)
    elif not (folder.path / "study.json").is_file():
        raise UserError(f"{path} is no study to go on with, since it has no study.json: leave out --resume.")
    elif (before := folder.read_json("study.json")) != stored:
        raise UserError(f"{path} was started with {before}, which --resume cannot change to {stored}.")
    return folder.path
