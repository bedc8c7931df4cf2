"""An oracle's memory, which survives being killed, and its eye on workers that are lost.

An oracle chooses the values of each trial and keeps what is known of all of them in its folder: oracle.json and
trial_ID/trial.json. Keras Tuner 1.4 overwrites these files in place and trusts that both are of the same moment; here
each is written whole or not at all, and `reload` mends what a kill has left between two of them.
"""

import contextlib
import pathlib
import shutil
import threading
import time

from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine.metrics_tracking import MetricsTracker  # no public names lead to these
from keras_tuner.src.engine.oracle import THREADS

from pipelines.errors import UserError
from tfrec.runs.run import Run

LEASE_SECONDS = 60.0  # after which a worker that says nothing has lost its trial
FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
REASON = "tuner/reason"  # among a trial's values, why it failed: Keras Tuner's messages between machines have no place
ABSENT = "the worker before of trial"  # what a chief that was started again calls one it has not heard of yet


class Durable:
    """Mixed in before one of Keras Tuner's oracles. With `leases` workers may get lost, as those elsewhere can."""

    leases = False
    start = None  # (values, score) of the configuration that the sweep starts from, for those that can learn from it

    def __init__(self, **options):
        super().__init__(**options)
        self.verbose = 0
        self.closed = False  # no trial begins any more, and workers stop those they have
        self.error = None  # what went wrong in here
        self._done = False  # whether some worker was told that there is nothing left
        self._lock = threading.RLock()
        self._heard, self._lost = {}, []  # when each worker spoke last; (worker, its trial) of lost ones

    def begin(self, folder):
        """Takes the folder for its memory, and remembers what is there."""
        path = pathlib.Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self._set_project_dir(str(path.parent), path.name)
        with self.alone():
            if (path / "oracle.json").is_file():
                self.reload()
            self.save()

    @contextlib.contextmanager
    def alone(self):
        """Inside, no other thread calls the oracle.

        Keras Tuner's own lock stays locked for good where something fails inside; to it, this thread has it already.
        """
        with self._lock:
            before, THREADS[self] = THREADS[self], threading.current_thread().name
            try:
                yield
            except Exception as error:
                if not isinstance(error, KeyError):  # a worker that asks for a trial that is none harms only itself
                    self.error = self.error or error
                raise
            finally:
                THREADS[self] = before

    def save(self):
        """Writes what is not of a single trial."""
        self._run().write_json("oracle.json", self.get_state())

    def _save_trial(self, trial):
        Run(self._get_trial_dir(trial.trial_id)).write_json("trial.json", trial.get_state())

    def _run(self):
        return Run(pathlib.Path(self._directory) / self._project_name)

    def reload(self):
        """What the folder knows. Trials that had begun and not ended wait for being tried again, each once.

        With leases their workers may still be at work, and have as long as any to say so.
        """
        try:
            for path in sorted(self._run().path.glob("trial_*/trial.json")):
                trial = Trial.from_state(self._run().read_json(path.relative_to(self._run().path)))
                if not trial.trial_id.isdecimal() or path.parent.name != f"trial_{trial.trial_id}":
                    raise ValueError(f"{path.parent.name} holds another trial")  # names become folders
                self.trials[trial.trial_id] = trial
            self.set_state(self._run().read_json("oracle.json"))
            if lost := set(self.start_order) - set(self.trials):
                raise ValueError(f"trial_{min(lost)} is missing")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{self._run().path} is damaged, so that no sweep can go on with it: {error}.") from error
        self.ongoing_trials, self._retry_queue = {}, []
        for trial_id, trial in sorted(self.trials.items(), reverse=True):  # the queue's last one is taken first
            if trial.status in FINISHED:
                if trial_id not in self.end_order:  # its own file is younger than oracle.json
                    self.end_order.append(trial_id)
            elif trial_id not in self.start_order:  # so that no worker ever had it
                del self.trials[trial_id]
                shutil.rmtree(self._get_trial_dir(trial_id))
            elif self.leases:
                self._give(f"{ABSENT} {trial_id}", trial)
            else:
                self._retry_queue.append(trial_id)

    def _give(self, tuner_id, trial):
        self.ongoing_trials[tuner_id] = trial
        self.tuner_ids.add(tuner_id)
        self._heard[tuner_id] = time.monotonic()

    def create_trial(self, tuner_id):
        """The next trial of a worker, or one that tells it to wait or to stop."""
        with self.alone():
            begun = self._heard[tuner_id] = time.monotonic()
            self.take_back()
            if self.closed:
                self.tuner_ids.discard(tuner_id)
                return Trial(self.get_space(), status=TrialStatus.STOPPED)
            trial = super().create_trial(tuner_id)
            for other in self._heard:  # who could not say anything meanwhile
                self._heard[other] += time.monotonic() - begun
            if trial.status == TrialStatus.STOPPED and self.leases and self.ongoing_trials:
                self.tuner_ids.add(tuner_id)  # one of those may come back
                return Trial(self.get_space(), status=TrialStatus.IDLE)
            self._done |= trial.status == TrialStatus.STOPPED
            return trial

    @property
    def total(self):
        """How many trials there will be; None where the search knows no end."""
        return self.max_trials

    @property
    def over(self):
        """Whether there is nothing left to try, or to be tried, and every worker knows it."""
        with self.alone():
            done = self._done or (self.max_trials and len(self.end_order) >= self.max_trials)
            nothing = done and not self.ongoing_trials and not self._retry_queue
            return bool(self.closed or nothing) and not self.tuner_ids

    def get_trial(self, trial_id):
        """A trial, whose worker thereby says that it is at work; with the status STOPPED where it should stop."""
        with self.alone():
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
        with self.alone():
            if self.trials[trial_id].status in FINISHED:
                return self.trials[trial_id]
            self.trials[trial_id].metrics = MetricsTracker()
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial):
        """Ends a trial, once, whoever had it: a worker that was taken for lost may be faster than the next one."""
        with self.alone():
            if self.trials[trial.trial_id].status in FINISHED:
                return
            if trial.trial_id in self._retry_queue:
                self._retry_queue.remove(trial.trial_id)
            trial.message = str(trial.hyperparameters.values.get(REASON, trial.message or ""))
            # Messages between machines bring them along in another order, with values that do not count.
            trial.hyperparameters = self.trials[trial.trial_id].hyperparameters
            super().end_trial(trial)
            self.tuner_ids.discard(f"{ABSENT} {trial.trial_id}")

    def take_back(self):
        """Gives the trials of workers that have been silent for too long to others."""
        with self.alone():
            now, before = time.monotonic(), len(self._lost)
            for tuner_id in sorted(self.tuner_ids) if self.leases else ():
                if now - self._heard.get(tuner_id, now) > LEASE_SECONDS:
                    self.tuner_ids.discard(tuner_id)
                    if trial := self.ongoing_trials.pop(tuner_id, None):
                        self._retry_queue.append(trial.trial_id)
                        self._lost.append((tuner_id, trial.trial_id))
            if len(self._lost) > before:
                self.save()

    def lost(self):
        """(worker, trial) of those that were lost since the last call."""
        with self.alone():
            found, self._lost = self._lost, []
            return found
