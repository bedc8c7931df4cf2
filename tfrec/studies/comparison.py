"""A comparison of models under one time budget: its folder, and one training after the other.

comparison.json       how it was started, what each model costs, how each ended
report.md             table and plots; table.md, table.csv, *.png
runs/LABEL/           an ordinary run for each model
logs/LABEL.txt        what its training printed; LABEL.jsonl what each of its starts used
"""

import functools
import logging
import pathlib
import shlex
import time
from collections.abc import Sequence
from typing import Any, Self

from rich.table import Table

from pipelines.counts import share, verb
from pipelines.errors import UserError
from tfrec.reports import comparison
from tfrec.runs.environment import environment
from tfrec.runs.run import Run
from tfrec.studies import candidates, fit_process, model_costs
from tfrec.studies.candidates import Candidate
from tfrec.utils.processes import read_records
from tfrec.utils.progress import Progress
from tfrec.utils.scheduler import Job, JobError, Outcome, Scheduler, Worker

logger = logging.getLogger(__name__)


class Comparison:
    """A comparison, new or started before.

    Args:
        path: its folder.
        models: the candidates.
        record: the content of comparison.json.
    """

    def __init__(self, path: str | pathlib.Path, models: Sequence[Candidate], record: dict[str, Any]) -> None:
        self.folder = Run(path)  # for its atomic writes and its lock
        self.models, self.record = models, record

    @classmethod
    def create(
        cls,
        models: Sequence[str],
        experiment: str | None,
        words: Sequence[str],
        budget_minutes: float,
        report: str | None,
    ) -> Self:
        """Creates a new comparison; writes nothing yet.

        Args:
            models: as for `candidates.parse`, like `experiment`, `words` and `budget_minutes`.
            experiment: name of an experiment, or None.
            words: flags for all trainings.
            budget_minutes: time budget of each training.
            report: the folder; None is the first free runs/compare-DATA.

        Returns:
            The comparison.

        Raises:
            UserError: where the models or flags have errors, or the folder is not empty.
        """
        parsed = candidates.parse(models, experiment, words, budget_minutes)
        data = parsed[0].config.data.name
        path = pathlib.Path(report or Run.next_free_path(f"compare-{data}"))
        Run(path).require_empty("--report")
        start = {"models": models, "experiment": experiment, "words": words, "budget_minutes": budget_minutes}
        return cls(path, parsed, {**start, "data": data, "sessions": [], "costs": {}, "results": {}})

    @classmethod
    def open(cls, path: str) -> Self:
        """Opens a comparison that was started before; UserError where the folder holds no comparison."""
        if not (pathlib.Path(path) / "comparison.json").is_file():
            raise UserError(
                f"{path} is not a report that can be resumed: it has no comparison.json; leave out --resume."
            )
        record = Run(path).read_json("comparison.json")
        try:
            start = [record[name] for name in ("models", "experiment", "words", "budget_minutes")]
            record["sessions"], record["costs"], record["results"]
        except (KeyError, TypeError):
            raise UserError(f"{path}/comparison.json is damaged: start another --report.") from None
        return cls(path, candidates.parse(*start), record)

    @property
    def resume_command(self) -> str:
        """The command that resumes the comparison after an interruption."""
        return f"python -m tfrec compare --report {shlex.quote(str(self.folder.path))} --resume"

    @property
    def failed(self) -> list[str]:
        """The labels of models that failed."""
        return [label for label, result in self.record["results"].items() if result["status"] == "failed"]

    def require_same(self, models: Sequence[Candidate]) -> None:
        """Raises UserError unless these are the candidates that the comparison was started with."""
        if [model.words for model in models] != [model.words for model in self.models]:
            raise UserError(
                f"{self.folder.path} was started with other models or flags, which --resume cannot change: leave out"
                " all but --report."
            )

    def run_of(self, label: str) -> Run:
        """Returns the run of a model."""
        return Run(self.folder.path / "runs" / label)

    def table(self) -> Table:
        """Returns the results so far, for the terminal."""
        return comparison.terminal_table(self._rows())

    def run(self) -> None:
        """Builds every model once, trains those that have not finished, and updates the report after each.

        A model that fails is recorded; it is trained again when the comparison is resumed.

        Raises:
            UserError: where a model cannot be built because of a user's error, or another process uses the folder.
        """
        costs, results = self.record["costs"], self.record["results"]
        unknown = [model for model in self.models if "error" in costs.get(model.label, {"error": None})]
        costs |= model_costs.measure_costs({model.label: model.config.to_dict() for model in unknown}, _report_cost)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        with self.folder.lock():
            (self.folder.path / "logs").mkdir(exist_ok=True)
            self.record["sessions"].append({**environment(), "hardware": comparison.hardware()})
            for label in self.failed:
                del results[label]
            self._save()
            waiting = [model for model in self.models if model.label not in results]
            self._announce(waiting)
            scheduler = Scheduler()
            jobs = [Job(model.label, functools.partial(self._train, model)) for model in waiting]
            with Progress("models", len(self.models)) as progress:
                scheduler.run(jobs, self._finish, _Display(self, scheduler, progress).update)

    def _train(self, model: Candidate, worker: Worker) -> dict[str, Any]:
        """Trains one model, or resumes it; returns its scores."""
        if reason := self.record["costs"][model.label].get("error"):
            raise JobError(reason)
        logger.info("Training %s (%d of %d).", model.label, self.models.index(model) + 1, len(self.models))
        run = self.run_of(model.label)
        if failure := fit_process.fit(run, model.words, self.folder.path / "logs", worker.call):
            raise JobError(failure)
        return comparison.scores(run)

    def _finish(self, outcome: Outcome) -> None:
        """Records how a training ended."""
        label = outcome.job.label
        failed = outcome.failure is not None
        result = {"status": "failed", "reason": outcome.failure} if failed else {"status": "done", **outcome.result}
        peaks = [start["peak_bytes"] for start in read_records(self.folder.path / "logs" / f"{label}.jsonl")]
        self.record["results"][label] = {**result, "peak_bytes": max(peaks, default=None)}
        self._save()
        logger.info(comparison.result_sentence(label, result))

    def _rows(self) -> list[dict[str, Any]]:
        return comparison.rows(self.models, self.record, self.folder.path)

    def _save(self) -> None:
        self.folder.write_json("comparison.json", self.record)
        comparison.write(self._rows(), self.record, self.resume_command, self.folder)

    def _announce(self, waiting: Sequence[Candidate]) -> None:
        minutes, total = self.record["budget_minutes"], len(self.models)
        logger.info(
            f"{share(total - len(waiting), total, 'model')} {verb(total - len(waiting), 'has', 'have')} finished."
            f" The others train for {minutes:g} min each,"
            f" {minutes * len(waiting):.4g} min in total, plus start and evaluation. Report: {self.folder.path}."
        )
        logger.info("To resume after an interruption: %s", self.resume_command)


class _Display:
    """Shows the progress of a comparison."""

    def __init__(self, comparison: Comparison, scheduler: Scheduler, progress: Progress) -> None:
        self.comparison, self.scheduler, self.progress = comparison, scheduler, progress
        self.budget_minutes = comparison.record["budget_minutes"]
        self.starts: dict[str, float] = {}  # {label: when its training started, as of `time.time`}

    def update(self) -> None:
        """Reads the states of the runs, and updates the display."""
        results = self.comparison.record["results"]
        self.progress.done = len(results)
        running, minutes_left = [], self.budget_minutes * (len(self.comparison.models) - len(results))
        for job in list(self.scheduler.running.values()):
            text, spent = self.describe(job.label, self.starts.setdefault(job.label, time.time()))
            running.append(text)
            minutes_left -= spent
        scores = {label: result.get("validation_accuracy", -1.0) for label, result in results.items()}
        first = max(scores, key=lambda label: scores[label], default=None)
        best = f"{first} with validation accuracy {scores[first]:.2%}" if first and scores[first] >= 0 else None
        self.progress.update(running, best, 60 * minutes_left)

    def describe(self, label: str, started: float) -> tuple[str, float]:
        """Returns the state of a training in words, and the minutes of its budget that it has used."""
        run = self.comparison.run_of(label)
        state = run.path / "state" / "state.json"
        history, seconds, since = [], 0.0, started
        if state.is_file():
            stored = run.read_json("state/state.json")
            history, seconds, since = stored["history"], stored["seconds"], max(started, state.stat().st_mtime)
        minutes = min((seconds + time.time() - since) / 60, self.budget_minutes)
        phase = f"epoch {len(history) + 1}" if minutes < self.budget_minutes else "evaluation"
        parts = [f"{minutes:.1f} of {self.budget_minutes:g} min", phase]
        if history:
            parts.append(f"validation accuracy {max(epoch['val_accuracy'] for epoch in history):.2%}")
        return f"{label} ({', '.join(parts)})", minutes


def _report_cost(label: str, cost: model_costs.Cost) -> None:
    if "user_error" not in cost:
        logger.info("%s: %s", label, comparison.cost_sentence(cost))
