"""The search loop of a sweep, in its folder.

sweep.json            how it was started
oracle/               Keras Tuner's state: the trials, with their values and scores
trials/LABEL/         an ordinary run for each trial; "default" is the configuration that the sweep starts from
logs/LABEL.txt        the output of its training
default.json          how the default ended
best.json             the configuration of the best trial, or the default where none beats it, for `tfrec fit --config`
winner.json           the best trial and the default on the test split
report.html           the report; the same as trials.csv, importance.csv and *.png
"""

import contextlib
import dataclasses
import logging
import shlex
import time
from collections.abc import Sequence
from typing import Any

from keras_tuner.engine.trial import Trial as OracleTrial

from pipelines.errors import UserError
from tfrec.reports import comparison as hardware_report
from tfrec.runs.environment import environment
from tfrec.runs.run import Run
from tfrec.utils.scheduler import Job, Scheduler, Worker
from tuning.execution import comparison, trials, workers
from tuning.execution.plan import Plan, without_tuner_values
from tuning.execution.trial_jobs import IDLE_INTERVAL_S, TrialSource
from tuning.oracles.construction import Oracle
from tuning.report import files
from tuning.report.page import Description
from tuning.report.progress import Progress
from tuning.report.results import DEFAULT, Results, Trial
from tuning.search_space import parameters

logger = logging.getLogger(__name__)

MAX_CONSECUTIVE_FAILURES = 5  # after which a sweep ends, since the next trial would fail too
MAX_LISTED = 10  # trials in a note of the report
STATUSES = {"COMPLETED": "done", "FAILED": "failed"}


class Sweep:
    """A search: its plan, its oracle, its workers, and its results so far.

    Attributes:
        best_label: The trial whose configuration is in best.json, or None.
        default: The Trial of the configuration that the sweep starts from, once it has ended.
    """

    def __init__(self, plan: Plan, oracle: Oracle, record: dict[str, Any]) -> None:
        """Creates the sweep.

        Args:
            plan: What all trials share.
            oracle: The oracle of the same space.
            record: The content of sweep.json.
        """
        self.plan, self.oracle, self.record = plan, oracle, record
        self.folder = Run(plan.folder)  # writes files atomically
        self.best_label: str | None = None
        self.default: Trial | None = None
        self._scheduler = Scheduler()
        self._deadline: float | None = None
        self._default_error: UserError | None = None
        self._num_ended_before = 0  # trials that had ended when this process started

    def resume_command(self, words: Sequence[str]) -> str:
        """Returns the command that resumes the sweep; `words` are its flags next to the folder."""
        return shlex.join(["python", "-m", "tuning.sweep", "--run", str(self.folder.path), "--resume", *words])

    def run(
        self,
        num_workers: int,
        hours: float | None = None,
        server: contextlib.AbstractContextManager[None] | None = None,
        words: Sequence[str] = (),
    ) -> Results:
        """Trains the default and the trials that are left, and writes the report.

        If the sweep was not interrupted, the best trial and the default are measured on the test split.

        Args:
            num_workers: The number of trainings at once on this machine; with a server it may be 0.
            hours: After which the search is interrupted.
            server: A context in which the oracle serves workers elsewhere.
            words: The flags that `resume_command` needs.

        Raises:
            UserError: If the default, too many trials in a row, or all trials fail.
        """
        self.folder.path.mkdir(parents=True, exist_ok=True)
        with self.folder.lock():
            self._open(hours, words)
            try:
                with server or contextlib.nullcontext():
                    self._search(num_workers, serves=bool(server))
                if (best := self.results(with_runs=False).best) is not None:
                    logger.info("Measuring the best trial and the default on the test split.")
                    comparison.measure(self.plan, self.folder, best.label)
            finally:
                self._write_best()
                results = self.results()
                files.write(self.folder, results, self._description(results))
        if results.best is None and not self.oracle.closed:
            raise UserError(f"No trial has completed: see {self.folder.path / 'report.html'} for the reasons.")
        return results

    def results(self, with_runs: bool = True) -> Results:
        """Returns the results so far; without `with_runs`, without what is read from the runs' own folders."""
        with self.oracle.lock():
            known = [self._trial(self.oracle.trials[label]) for label in self.oracle.start_order]
        default = self.default
        if with_runs:
            known = [self._with_run(trial) for trial in known]
            default = default and self._with_run(default)
        return Results(self.plan.parameters, self.plan.objectives, self.plan.constraints, tuple(known), default)

    def _open(self, hours: float | None, words: Sequence[str]) -> None:
        """Writes sweep.json, and restores the state of the oracle and of the default."""
        self.record["sessions"].append({**environment(), "hardware": hardware_report.hardware()})
        self.record["command"] = self.resume_command(words)
        self.folder.write_json("sweep.json", self.record)
        self.plan.logs.mkdir(exist_ok=True)
        self.oracle.open(self.folder.path / "oracle")
        self._num_ended_before = len(self.oracle.end_order)
        if (self.folder.path / "default.json").is_file():
            self._set_default(self.folder.read_json("default.json"))
        self._deadline = None if hours is None else time.monotonic() + 3600 * hours
        logger.info("After an interruption, resume with: %s", self.record["command"])

    def _description(self, results: Results) -> Description:
        record, count = self.record, sum(trial.status != "running" for trial in results.trials)
        return Description(
            title=f"{record['experiment'] or record['data']}: {count} trials by {record['tuner']}",
            command=record["command"],
            hardware=record["sessions"][-1]["hardware"] if record["sessions"] else "",
            sentences=comparison.sentences(self.folder, results),
            notes=self._notes(results),
            test_scores=comparison.read_test_scores(self.folder),
        )

    def _notes(self, results: Results) -> tuple[str, ...]:
        """What the report lacks, because runs are on other machines."""
        remote = [trial.label for trial in results.done if not self.plan.run(trial.label).is_finished()]
        if not remote:
            return ()
        listed = ", ".join(remote[:MAX_LISTED]) + (", ..." if len(remote) > MAX_LISTED else "")
        missing = "their curves and their scores on the test split are missing"
        return (f"The runs of trials {listed} are on other machines: {missing}.",)

    def _trial(self, known: OracleTrial) -> Trial:
        """Converts the oracle's state of a trial."""
        status, reason = STATUSES.get(known.status, "running"), known.message or ""
        if status == "failed":
            status, reason = trials.split_reason(reason)
        scores = {name: known.metrics.get_last_value(name) for name in known.metrics.metrics}
        values = parameters.active_values(self.plan.parameters, known.hyperparameters.values)
        return Trial(known.trial_id, status, without_tuner_values(values), scores, reason)

    def _with_run(self, trial: Trial) -> Trial:
        """Adds what the folder of the trial's run holds."""
        seconds, history = self._seconds_spent(trial.label), self.plan.run(trial.label).read_history()
        return dataclasses.replace(trial, seconds=seconds, history=history)

    def _seconds_spent(self, label: str) -> float | None:
        return workers.seconds_spent(self.plan.logs, label)

    def _train_default(self, worker: Worker) -> None:
        """Trains the configuration that the sweep starts from, and keeps its result, or its error."""
        try:
            scores = trials.train(
                self.plan, DEFAULT, {}, lambda: not worker.is_stopping(), worker.resources.environment
            )
            result = {"status": "done", "scores": scores, "reason": ""}
        except trials.TrialStoppedError:
            return
        except Exception as error:
            status, reason = trials.split_reason(str(error))
            if status == "failed":
                self._default_error = UserError(f"The configuration that the sweep starts from failed: {reason}")
                return
            result = {"status": status, "scores": {}, "reason": reason}
        self.folder.write_json("default.json", result)
        self._set_default(result)

    def _set_default(self, result: dict[str, Any]) -> None:
        """Keeps the result of the default, and gives it to the oracle as a starting point."""
        active = [parameter for _, parameter in parameters.active_by_default(self.plan.parameters)]
        values = {parameter.name: parameter.default for parameter in active if parameter.default is not None}
        try:
            self.default = Trial(DEFAULT, result["status"], values, result["scores"], result["reason"])
        except (KeyError, TypeError):
            path = self.folder.path / "default.json"
            raise UserError(f"{path} is damaged: delete it, then resume with --resume.") from None
        start = parameters.default_values(self.plan.parameters)
        if self.default.status == "done" and start is not None:
            self.oracle.start = start, self.default.scores[self.plan.objectives[0].name]

    def _search(self, num_workers: int, serves: bool) -> None:
        """Runs the default and the trials until the oracle has no more, or stops them after an error."""
        self._scheduler = Scheduler(workers.allocate(max(num_workers, 1)))
        source, starts_with_default = TrialSource(self.oracle, self.plan, "worker"), self.default is None

        def next_job(worker: Worker) -> Job | None:
            nonlocal starts_with_default
            if worker.number == 0 and starts_with_default:
                starts_with_default = False
                return Job(DEFAULT, self._train_default)
            if num_workers and (job := source(worker)) is not None:
                return job
            while serves and worker.number == 0 and not self.oracle.is_finished:
                worker.sleep(IDLE_INTERVAL_S)  # for the workers elsewhere
            return None

        with Progress(
            lambda: self.results(with_runs=False), lambda: self.oracle.total, self._seconds_spent, self._deadline
        ) as progress:

            def poll() -> None:
                self._poll()
                self._raise_error()
                progress.update()

            self._scheduler.run(next_job, on_poll=poll)
            poll()

    def _poll(self) -> None:
        """Expires leases, interrupts the search at its deadline, and writes the best configuration."""
        self.oracle.expire_leases()
        for tuner_id, label in self.oracle.pop_expired():
            logger.info("The heartbeat of %s is lost: trial %s goes to another worker.", tuner_id, label)
        if self._deadline is not None and time.monotonic() > self._deadline and not self.oracle.closed:
            logger.info("The time limit of --hours is reached: trainings in progress are interrupted.")
            self.oracle.closed = True
            self._scheduler.stopping.set()
        self._write_best()

    def _write_best(self) -> None:
        """Writes best.json: of the best trial, or of the default where none beats it."""
        best = self.results(with_runs=False).winner
        if best is not None and best.label != self.best_label:
            self.folder.write_json("best.json", self.plan.config(best.changed_values).to_dict())
            self.best_label = best.label

    def _raise_error(self) -> None:
        """Raises the error of the default or of the oracle; UserError after too many failures in a row."""
        for error in (self._default_error, self.oracle.error):
            if error is not None:
                raise error
        with self.oracle.lock():
            ended = self.oracle.end_order[self._num_ended_before :]
            last = [self.oracle.trials[label] for label in ended[-MAX_CONSECUTIVE_FAILURES:]]
        failed = [
            trial for trial in last if trial.status == "FAILED" and trials.split_reason(trial.message)[0] == "failed"
        ]
        if len(failed) == MAX_CONSECUTIVE_FAILURES:
            raise UserError(
                f"{MAX_CONSECUTIVE_FAILURES} trials in a row failed, the last, {last[-1].trial_id}, with:"
                f" {last[-1].message} See {self.plan.logs}; fix the cause, then resume with --resume."
            )
