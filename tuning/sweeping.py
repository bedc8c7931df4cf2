"""A sweep at work: its folder, its workers, what it has found.

sweep.json            how it was started
oracle/               Keras Tuner's memory: the trials and what is known of them
trials/LABEL/         an ordinary run for each trial; "default" is the configuration that the sweep starts from
logs/LABEL.txt        what its training printed
default.json          how that of the default ended
best.json             the configuration of the best trial, or the default where none beats it, for `tfrec.fit --config`
winner.json           what the best and the default are worth on the test split
report.html           the report; the same as trials.csv, importance.csv and *.png
"""

import contextlib
import dataclasses
import shlex
import threading
import time

from pipelines.errors import UserError
from tfrec.config.schema import as_json
from tfrec.reports import comparison
from tfrec.runs.environment import environment
from tfrec.runs.run import Run
from tfrec.utils.console import console
from tuning import margins, report, spaces, trials, workers
from tuning.progress import Progress
from tuning.results import DEFAULT, Results, Trial

LOOK_SECONDS = 0.5  # between two looks at what the workers do
FAILURES = 5  # in a row after which a sweep ends, since the next one would fail too
STATES = {"COMPLETED": "done", "FAILED": "failed"}


class Sweep:
    """`plan` is what all trials share, `record` what sweep.json holds."""

    def __init__(self, plan, oracle, record):
        self.plan, self.oracle, self.record = plan, oracle, record
        self.folder = Run(plan.folder)  # for its files, which are written whole or not at all
        self.stopping = threading.Event()
        self.deadline = self.kept = self.default = None
        self.failure, self.begun = None, 0  # of the default; trials that had ended before this start

    def again(self, words):
        """The command that goes on after an interruption; `words` are its flags beside the folder."""
        return shlex.join(["python", "-m", "tuning.sweep", "--run", str(self.folder.path), "--resume", *words])

    def go(self, count, hours=None, server=None, words=()):
        """Trains the default and, by `count` workers of this machine, what is left of the trials; then reports.

        `server` is a context in which workers elsewhere are answered; with one there may be none here. Where nothing
        has stopped the sweep before its end, the best trial and the default are measured on the test split. UserError
        where the default, too many trials in a row or all fail. `words` are flags that a later start needs too.
        """
        self.folder.path.mkdir(parents=True, exist_ok=True)
        with self.folder.lock():
            self.record["sessions"].append({**environment(), "hardware": comparison.hardware()})
            self.record["command"] = self.again(words)
            self.folder.write_json("sweep.json", self.record)
            self.plan.logs.mkdir(exist_ok=True)
            self.oracle.begin(self.folder.path / "oracle")
            self.begun = len(self.oracle.end_order)
            if (self.folder.path / "default.json").is_file():
                self._know_default(self.folder.read_json("default.json"))
            self.deadline = None if hours is None else time.monotonic() + 3600 * hours
            console.print(f"After an interruption: {self.record['command']}")
            try:
                with server or contextlib.nullcontext():
                    self._work(count, bool(server))
                if (best := self.results(whole=False).best) is not None:
                    console.print("Measuring the best trial and the default on the test split.")
                    margins.measure(self.plan, self.folder, best.label)
            finally:
                self._keep_best()
                results = self.results()
                facts = self.facts(results)
                report.write(self.folder, results, facts)
        if results.best is None and not self.oracle.closed:
            raise UserError(f"No trial has ended well: {self.folder.path / 'report.html'} tells why.")
        console.print(report.terminal_table(results))
        for sentence in facts.sentences:
            console.print(sentence)

    def results(self, whole=True):
        """What is known by now; without `whole` nothing of what the runs' own folders hold."""
        with self.oracle.alone():
            known = tuple(self._trial(self.oracle.trials[label], whole) for label in self.oracle.start_order)
        plan, default = self.plan, self.default
        if whole and default is not None:
            default = self._with_run(default)
        return Results(plan.parameters, plan.objectives, plan.constraints, known, default)

    def facts(self, results):
        """What the report says beside the results."""
        record, count = self.record, sum(trial.status != "running" for trial in results.trials)
        return report.Facts(
            title=f"{record['experiment'] or record['data']}: {count} trials by {record['tuner']}",
            command=record["command"],
            hardware=record["sessions"][-1]["hardware"] if record["sessions"] else "",
            sentences=margins.sentences(self.folder, results),
            notes=self._notes(results),
            test=margins.tested(self.folder),
        )

    def _notes(self, results):
        """What is missing, where runs are on other machines."""
        away = [one.label for one in results.done if not self.plan.run(one.label).is_finished()]
        if not away:
            return ()
        some = ", ".join(away[:10]) + (", ..." if len(away) > 10 else "")
        return (f"The runs of trials {some} are on other machines: their curves are missing, and their test split.",)

    def _trial(self, known, whole):
        label = known.trial_id
        state, reason = STATES.get(known.status, "running"), known.message or ""
        if state == "failed":
            state, reason = trials.verdict(reason)
        scores = {name: known.metrics.get_last_value(name) for name in known.metrics.metrics}
        values = trials.chosen(spaces.chosen(self.plan.parameters, known.hyperparameters.values))
        trial = Trial(label, state, values, scores, reason)
        return self._with_run(trial) if whole else trial

    def _with_run(self, trial):
        """A trial with what its run's own folder holds."""
        seconds, history = trials.spent(self.plan, trial.label), self.plan.run(trial.label).read_history()
        return dataclasses.replace(trial, seconds=seconds, history=history)

    def _train_default(self):
        """Trains the configuration that the sweep starts from; keeps why that failed."""
        if self.default is not None:
            return
        try:
            first = self.places[0]
            first.take()
            scores = trials.train(self.plan, DEFAULT, {}, lambda: not self.stopping.is_set(), first.environment)
            ended = {"status": "done", "scores": scores, "reason": ""}
        except trials.StopError:
            return
        except Exception as error:
            status, reason = trials.verdict(str(error))
            if status == "failed":
                self.failure = UserError(f"The configuration that the sweep starts from failed: {reason}")
                return
            ended = {"status": status, "scores": {}, "reason": reason}
        self.folder.write_json("default.json", ended)
        self._know_default(ended)

    def _know_default(self, ended):
        """Keeps how it ended, and lets the oracle search from there."""
        counting = [one for _, one in spaces.counting(self.plan.parameters)]
        values = {one.name: one.default for one in counting if one.default is not None}
        try:
            self.default = Trial(DEFAULT, ended["status"], values, ended["scores"], ended["reason"])
        except (KeyError, TypeError):
            path = self.folder.path / "default.json"
            raise UserError(f"{path} is damaged: delete it, and go on with --resume.") from None
        start = spaces.start(self.plan.parameters)
        if self.default.status == "done" and start is not None:
            self.oracle.start = start, self.default.scores[self.plan.objectives[0].name]

    def _work(self, count, serves):
        """Starts the workers and waits for them; leaves none behind."""
        self.places = workers.places(max(count, 1))
        first = threading.Thread(target=self._train_default, name=DEFAULT, daemon=True)
        staff = [
            workers.Worker(self.oracle, f"worker{i}", self.plan, self.places[i], self.stopping, None if i else first)
            for i in range(count)
        ]
        for one in (first, *staff):
            one.start()
        try:
            with Progress(self) as progress:
                while any(one.is_alive() for one in (first, *staff)) or (serves and not self.oracle.over):
                    time.sleep(LOOK_SECONDS)
                    self._look()
                    self._raise_failure(staff)
                    progress.show()
                progress.show()
            self._raise_failure(staff)
        finally:
            self.stopping.set()
            workers.wait_for((first, *staff))

    def _look(self):
        """Gives trials of lost workers to others, ends what has no time left, and keeps the best configuration."""
        self.oracle.take_back()
        for tuner_id, label in self.oracle.lost():
            console.print(f"{tuner_id} has fallen silent: trial {label} goes to another worker.")
        if self.deadline is not None and time.monotonic() > self.deadline and not self.oracle.closed:
            console.print("The hours are over: what is being trained is interrupted.")
            self.oracle.closed = True
            self.stopping.set()
        self._keep_best()

    def _keep_best(self):
        """Writes best.json: of the best trial, or of the default where none beats it."""
        best = self.results(whole=False).winner
        if best is not None and best.label != self.kept:
            self.folder.write_json("best.json", as_json(trials.config_of(self.plan, best.changed)))
            self.kept = best.label

    def _raise_failure(self, staff):
        for error in (self.failure, self.oracle.error, *(one.error for one in staff)):
            if error is not None:
                raise error
        with self.oracle.alone():
            last = [self.oracle.trials[label] for label in self.oracle.end_order[self.begun :][-FAILURES:]]
            broken = [one for one in last if one.status == "FAILED" and trials.verdict(one.message)[0] == "failed"]
        if len(broken) == FAILURES:
            raise UserError(
                f"{FAILURES} trials in a row failed, the last, {last[-1].trial_id}, with: {last[-1].message} See"
                f" {self.plan.logs}; mend what is wrong, and go on with --resume."
            )
