"""Keras Tuner's oracles, with a memory that survives being killed and an eye on workers that are lost.

An oracle chooses the values of each trial and keeps what is known of all of them in its folder: oracle.json and
trial_ID/trial.json. Keras Tuner 1.4 overwrites these files in place and trusts that both are of the same moment; here
each is written whole or not at all, and `reload` mends what a kill has left between two of them.
"""

import functools
import pathlib
import threading
import time

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine.metrics_tracking import MetricsTracker  # no public name leads to it

from pipelines.errors import UserError, unknown
from tfrec.runs import Run

LEASE_SECONDS = 60.0  # after which a worker that says nothing has lost its trial
FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
REASON = "tuner/reason"  # among a trial's values, why it failed: Keras Tuner's messages between machines have no place
NO_LIMIT = 10**9  # of trials that fail one after another: the sweep decides about those
TUNERS = ("random", "grid", "bayesian", "hyperband")


class Durable:
    """Mixed in before one of Keras Tuner's oracles."""

    def __init__(self, **options):
        super().__init__(**options)
        self.verbose = 0
        self.closed = False  # no trial begins any more, and workers stop those they have
        self._done = False  # whether some worker was told that there is nothing left
        self.lock = threading.RLock()  # Keras Tuner's own stays locked for good where something fails inside
        self._heard = {}  # when each tuner spoke last

    def begin(self, folder):
        """Takes the folder for its memory, and remembers what is there."""
        path = pathlib.Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self._set_project_dir(str(path.parent), path.name)
        if (path / "oracle.json").is_file():
            self.reload()
        self.save()

    def save(self):
        """Writes what is not of a single trial."""
        self._run().write_json("oracle.json", self.get_state())

    def _save_trial(self, trial):
        Run(self._get_trial_dir(trial.trial_id)).write_json("trial.json", trial.get_state())

    def _run(self):
        return Run(pathlib.Path(self._directory) / self._project_name)

    def reload(self):
        """What the folder knows. Trials that had begun and not ended wait for being tried again, each once."""
        try:
            super().reload()
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UserError(f"{self._run().path} is damaged, so that no sweep can go on with it: {error}.") from error
        for trial_id, trial in sorted(self.trials.items()):
            if trial_id not in self.start_order:  # its own file is younger than oracle.json
                self.start_order.append(trial_id)
                self._record_values(trial)
            if trial.status in FINISHED and trial_id not in self.end_order:
                self.end_order.append(trial_id)
        waiting = [trial_id for trial_id, trial in self.trials.items() if trial.status not in FINISHED]
        self._retry_queue = sorted(waiting, reverse=True)  # the last one is taken first

    def create_trial(self, tuner_id):
        """The next trial of a worker, or one that tells it to wait or to stop."""
        with self.lock:
            self._heard[tuner_id] = time.monotonic()
            self.take_back()
            if self.closed:
                self.tuner_ids.discard(tuner_id)
                return Trial(self.get_space(), status=TrialStatus.STOPPED)
            trial = super().create_trial(tuner_id)
            self._done |= trial.status == TrialStatus.STOPPED
            return trial

    @property
    def over(self):
        """Whether there is nothing left to try, or to be tried, and every worker knows it."""
        with self.lock:
            return (self.closed or (self._done and not self.ongoing_trials)) and not self.tuner_ids

    def get_trial(self, trial_id):
        """A trial, whose worker thereby says that it is at work; with the status STOPPED where it should stop."""
        with self.lock:
            trial = super().get_trial(trial_id)
            for tuner_id, ongoing in self.ongoing_trials.items():
                if ongoing.trial_id == trial_id:
                    self._heard[tuner_id] = time.monotonic()
            if self.closed or trial.status in FINISHED:  # or another worker was faster
                copy = Trial(trial.hyperparameters, trial_id, TrialStatus.STOPPED)
                copy.metrics = trial.metrics
                return copy
            return trial

    def update_trial(self, trial_id, metrics, step=0):
        """Takes the scores of a trial, once."""
        with self.lock:
            if self.trials[trial_id].status in FINISHED:
                return self.trials[trial_id]
            self.trials[trial_id].metrics = MetricsTracker()
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial):
        """Ends a trial, once, whoever had it: a worker that was taken for lost may be faster than the next one."""
        with self.lock:
            if self.trials[trial.trial_id].status in FINISHED:
                return
            if trial.trial_id in self._retry_queue:
                self._retry_queue.remove(trial.trial_id)
            trial.message = trial.hyperparameters.values.pop(REASON, trial.message)
            super().end_trial(trial)

    def take_back(self):
        """Gives the trials of workers that have been silent for too long to others; returns the ids of both."""
        with self.lock:
            now, lost = time.monotonic(), []
            for tuner_id in sorted(self.tuner_ids):
                if now - self._heard.get(tuner_id, now) > LEASE_SECONDS:
                    self.tuner_ids.discard(tuner_id)
                    if trial := self.ongoing_trials.pop(tuner_id, None):
                        self._retry_queue.append(trial.trial_id)
                        lost.append((tuner_id, trial.trial_id))
            if lost:
                self.save()
            return lost


class Random(Durable, keras_tuner.oracles.RandomSearchOracle):
    """Any values."""


class Grid(Durable, keras_tuner.oracles.GridSearchOracle):
    """All values, one after another; ten of each range without a step."""

    def reload(self):
        """Finds its place again, which Keras Tuner does not keep: behind every combination whose next is missing."""
        super().reload()
        key = functools.cmp_to_key(lambda one, other: self._compare(self._values(one), self._values(other)))
        for trial_id in sorted(self.trials, key=key):
            self._ordered_ids.insert(trial_id)
            self._populate_next.append(trial_id)

    def _values(self, trial_id):
        return self.trials[trial_id].hyperparameters.values


class Bayesian(Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """What a Gaussian process that knows the trials so far has hopes in."""


class Hyperband(Durable, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best go on (Li et al. 2018, JMLR 18, pages 1-52)."""


def build(tuner, hyperparameters, objective, trials, max_epochs, seed):
    """The oracle of a tuner's name; `objective` is one of ours, `trials` the most it may begin, or None.

    `max_epochs` are those of hyperband's longest trials. UserError for an unknown name.
    """
    if tuner not in TUNERS:
        raise unknown("tuner", tuner, TUNERS)
    options = {
        "objective": keras_tuner.Objective(objective.name, "max" if objective.rises else "min"),
        "hyperparameters": hyperparameters,
        "allow_new_entries": False,
        "seed": seed + 1,  # 0 would mean any
        "max_consecutive_failed_trials": NO_LIMIT,
    }
    if tuner == "hyperband":
        oracle = Hyperband(max_epochs=max_epochs, **options)
        oracle.max_trials = trials  # it takes none, and yet keeps to it
        return oracle
    options["max_trials"] = trials
    if tuner == "bayesian":
        # Keras Tuner's own, 3 for each parameter, would leave a short sweep to chance.
        points = 3 * len(hyperparameters.space)
        options["num_initial_points"] = max(4, min(points, trials // 3) if trials else points)
    return {"random": Random, "grid": Grid, "bayesian": Bayesian}[tuner](**options)
