"""A study: many trainings that differ in one thing, each with several seeds, and tables of their scores.

study.json            how it was started
study.md, NAME.csv    the tables
runs/LABEL/           an ordinary run for each training
logs/LABEL.txt        what it printed
"""

import dataclasses
import functools
import logging
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from pipelines.errors import UserError
from tfrec.evaluation.metrics.per_example import TITLES
from tfrec.runs.run import Run
from tfrec.studies import fit_process
from tfrec.studies.tables import Table, score
from tfrec.utils.progress import Progress
from tfrec.utils.scheduler import Job, JobError, Outcome, Scheduler, Worker, share_cores

logger = logging.getLogger(__name__)

COMMAND_LINE = (sys.executable, "-m", "tfrec")


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags that every study has."""

    report: str | None = None  # folder of the runs and the tables; None is runs/STUDY
    seeds: tuple[int, ...] = (0, 1, 2)  # of weights, order, augmentation and the choice of examples
    workers: int = 1  # trainings at the same time, which share the cores
    resume: bool = False  # resume the study in --report

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 64:
            raise ValueError(f"workers must be from 1 to 64. Received: {self.workers}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must name at least one, each once. Received: {self.seeds}")


@dataclasses.dataclass(frozen=True)
class Step:
    """One training of a study, and the measurements of its run."""

    label: str  # name of its run's folder
    row: str | None  # row of the table that it belongs to; None where it only pre-trains weights for other steps
    words: tuple[str, ...]  # for `tfrec.fit`
    group: str = ""  # columns of the row that it fills
    # Further measurements of the run: the file that shows that one is done, and the words of its command.
    measures: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Study(Protocol):
    """What every module of a study holds."""

    Options: Any  # dataclass of its flags, derived from `Options`
    ACCEPTS_FIT_FLAGS: bool  # whether flags of `tfrec.fit` go to every training

    def steps(self, options: Any, flags: Sequence[str], runs: pathlib.Path) -> list[Step]:
        """Plans the trainings, in order.

        Args:
            options: instance of the module's `Options`.
            flags: flags of `tfrec.fit` for all trainings.
            runs: folder of their runs.

        Returns:
            The steps.

        Raises:
            UserError: for options that cannot be used; nothing has been written by then.
        """
        ...

    def tables(self, folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
        """Builds the tables from the runs of all steps in the study's folder."""
        ...

    def draw(self, folder: pathlib.Path, steps: Sequence[Step]) -> pathlib.Path | None:
        """Draws a plot into the study's folder, and returns its path; None for a study without plots."""
        ...


def create_folder(path: pathlib.Path, record: dict[str, Any], resume: bool) -> pathlib.Path:
    """Creates the folder of a study, or opens it to resume.

    Args:
        path: the folder.
        record: the content of study.json, which must not change.
        resume: whether to open an existing study.

    Returns:
        The folder.

    Raises:
        UserError: where a new folder is not empty, or an existing one is not that of this study.
    """
    folder = Run(path)
    if not resume:
        folder.require_empty("--report")
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_json("study.json", record)
    elif not (folder.path / "study.json").is_file():
        raise UserError(f"{path} is not a study that can be resumed: it has no study.json; leave out --resume.")
    elif (stored := folder.read_json("study.json")) != record:
        raise UserError(f"{path} was started with {stored}, which --resume cannot change to {record}.")
    return folder.path


def result_settings(options: Options) -> dict[str, Any]:
    """Returns the options that decide the results, as JSON."""
    kept = dataclasses.asdict(options)
    del kept["report"], kept["workers"], kept["resume"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def reject_flags(flags: Sequence[str], *own: str) -> None:
    """Rejects flags of `tfrec.fit` that a study sets itself.

    Args:
        flags: words from the command line.
        *own: beginnings of such flags, besides --run, --config and --seed.

    Raises:
        UserError: for the first of them.
    """
    for word in flags:
        if word.split("=")[0] in ("--run", "--config", "--seed") or word.startswith(own):
            raise UserError(f"The study sets {word} itself: leave it out.")


def train(folder: pathlib.Path, steps: Sequence[Step], workers: int = 1) -> None:
    """Trains and measures all steps that are not done; those that pre-train weights come first.

    Args:
        folder: the study's folder.
        steps: its steps.
        workers: number of trainings at the same time, which share the cores.

    Raises:
        UserError: where a step fails; the others are stopped.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    waiting = [step for step in steps if not _is_done(folder, step)]
    with Progress("trainings", len(steps), done=len(steps) - len(waiting)) as progress:
        display = _Display(folder, steps, progress)
        for part in ([s for s in waiting if s.row is None], [s for s in waiting if s.row is not None]):
            scheduler = Scheduler(share_cores(workers))
            jobs = [Job(step.label, functools.partial(_run_step, folder, step)) for step in part]
            scheduler.run(jobs, display.finish, functools.partial(display.update, scheduler))


class _Display:
    """Reports how the steps of a study end, and shows the progress."""

    def __init__(self, folder: pathlib.Path, steps: Sequence[Step], progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self.compared = {step.label for step in steps if step.row}
        self.best: tuple[float, str] | None = None  # of this start: larger is better, description

    def finish(self, outcome: Outcome) -> None:
        """Reports a step that has ended; UserError where it failed."""
        label = outcome.job.label
        if outcome.failure:
            log = self.folder / "logs" / f"{label}.txt"
            raise UserError(f"{label} failed: {outcome.failure} See {log}; resume with --resume.")
        self.progress.done += 1
        if label not in self.compared:  # it may have no labels, and so no score
            logger.info("%s: trained", label)
            return
        name, value = score(Run(self.folder / "runs" / label))
        is_rate = name in ("wer", "per")  # of errors
        text = f"{name.upper() if is_rate else TITLES[name]} {value:.2%}"
        goodness = -value if is_rate else value
        if self.best is None or goodness > self.best[0]:
            self.best = goodness, f"{label} with {text}"
        logger.info("%s: %s on the test split", label, text)

    def update(self, scheduler: Scheduler) -> None:
        """Updates the progress display."""
        running = [job.label for job in list(scheduler.running.values())]
        self.progress.update(running, self.best and self.best[1])


def _is_done(folder: pathlib.Path, step: Step) -> bool:
    run = Run(folder / "runs" / step.label)
    return run.is_finished() and not _missing_measures(run, step)


def _missing_measures(run: Run, step: Step) -> list[tuple[str, ...]]:
    return [words for file, words in step.measures if not (run.path / file).is_file()]


def _run_step(folder: pathlib.Path, step: Step, worker: Worker) -> None:
    """Trains and measures one step."""
    run, logs = Run(folder / "runs" / step.label), folder / "logs"
    row = step.row or "weights that other trainings start from"
    logger.info("%s: %s", step.label, f"{row}, {step.group}" if step.group else row)
    failure = fit_process.fit(run, [*step.words, "--export.no_after_fit"], logs, worker.call)
    if failure is None:
        for name, *words in _missing_measures(run, step):
            log, record = logs / f"{step.label}.txt", logs / f"{step.label}-measure.jsonl"
            failure = worker.call([*COMMAND_LINE, name, str(run.path), *words], log, record)
            if failure:
                break
    if failure:
        raise JobError(failure)
