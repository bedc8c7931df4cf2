"""Oracles whose state survives a kill, and which reassign the trials of workers whose heartbeat is lost.

An oracle chooses the values of each trial and keeps the state of all trials in its folder: oracle.json and
trial_ID/trial.json. Keras Tuner 1.4 overwrites these files in place and relies on both being of the same moment; here
each is written atomically, and `reload` repairs what a kill between two writes has left.
"""

import contextlib
import pathlib
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tuning import _compat
from tuning.search_space.parameters import Values

LEASE_S = 60.0  # without a heartbeat for so long, a worker loses its trial
FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
REASON = "tuner/reason"  # why a trial failed, among its values: Keras Tuner's messages have no other place for it
PREVIOUS_WORKER = "previous worker of trial"  # + ID: who has a trial when a chief restarts, until it sends a heartbeat


class PersistentOracle(_compat.OracleBase):
    """A mixin that comes before one of Keras Tuner's oracles.

    Attributes:
        has_leases: Whether the trial of a worker without a heartbeat goes to another, as for workers elsewhere.
        start: (values, score) of the configuration that the sweep starts from, for oracles that learn from it.
        closed: Whether no more trials start and workers stop those they have.
        error: The first exception that a method of the oracle raised.
    """

    has_leases = False
    start: tuple[Values, float] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.verbose = 0
        self.closed = False
        self.error: Exception | None = None
        self._exhausted = False  # whether a worker got the answer that there are no more trials
        self._lock = threading.RLock()
        self._heartbeats: dict[str, float] = {}  # {worker: time of its last heartbeat}
        self._expired: list[tuple[str, str]] = []  # (worker, its trial)

    def open(self, folder: str | pathlib.Path) -> None:
        """Uses `folder` for the state, and restores what it holds.

        Raises:
            UserError: If the state there is damaged.
        """
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.lock():
            if (self.folder / "oracle.json").is_file():
                self.reload()
            self.save()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes other threads from the oracle inside the block; keeps an exception of the block in `error`."""
        with self._lock, _compat.own_lock(self):
            try:
                yield
            except KeyError:  # of a worker that asks for an unknown trial, which concerns only that worker
                raise
            except Exception as error:
                self.error = self.error or error
                raise

    def save(self) -> None:
        """Writes the state that is not part of a single trial."""
        Run(self.folder).write_json("oracle.json", self.get_state())

    def write_trial(self, trial: Trial) -> None:
        """Writes the state of one trial."""
        folder = self.folder / f"trial_{trial.trial_id}"
        folder.mkdir(exist_ok=True)
        Run(folder).write_json("trial.json", trial.get_state())

    def reload(self) -> None:
        """Restores the state in the folder; trials that have started and not ended are queued to be retried.

        With leases, their workers may still be at work, and have one lease to send a heartbeat.

        Raises:
            UserError: If the state is damaged.
        """
        try:
            self._read_files()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{self.folder} is damaged, so a sweep cannot resume from it: {error}.") from error
        self.ongoing_trials.clear()
        self.retry_queue = []
        for trial_id, trial in sorted(self.trials.items(), reverse=True):  # the queue's last one is taken first
            if trial.status in FINISHED:
                if trial_id not in self.end_order:  # its own file is newer than oracle.json
                    self.end_order.append(trial_id)
            elif trial_id not in self.start_order:  # killed before a worker had it
                del self.trials[trial_id]
                shutil.rmtree(self.folder / f"trial_{trial_id}")
            elif self.has_leases:
                self._assign(f"{PREVIOUS_WORKER} {trial_id}", trial)
            else:
                self.retry_queue.append(trial_id)

    def _read_files(self) -> None:
        run = Run(self.folder)
        for path in sorted(self.folder.glob("trial_*/trial.json")):
            trial = Trial.from_state(run.read_json(str(path.relative_to(self.folder))))
            if not trial.trial_id.isdecimal() or path.parent.name != f"trial_{trial.trial_id}":
                raise ValueError(f"{path.parent.name} holds another trial")  # IDs become names of folders
            self.trials[trial.trial_id] = trial
        self.set_state(run.read_json("oracle.json"))
        if missing := set(self.start_order) - set(self.trials):
            raise ValueError(f"trial_{min(missing)} is missing")

    def _assign(self, tuner_id: str, trial: Trial) -> None:
        self.ongoing_trials[tuner_id] = trial
        self.tuner_ids.add(tuner_id)
        self._heartbeats[tuner_id] = time.monotonic()

    def create_trial(self, tuner_id: str) -> Trial:
        """Returns the next trial of a worker, or one with the status IDLE (ask again later) or STOPPED (no more)."""
        with self.lock():
            started = self._heartbeats[tuner_id] = time.monotonic()
            self.expire_leases()
            if self.closed:
                self.tuner_ids.discard(tuner_id)
                return Trial(self.get_space(), status=TrialStatus.STOPPED)
            trial = super().create_trial(tuner_id)
            for other in self._heartbeats:  # no heartbeat could arrive meanwhile
                self._heartbeats[other] += time.monotonic() - started
            if trial.status == TrialStatus.STOPPED and self.has_leases and self.ongoing_trials:
                self.tuner_ids.add(tuner_id)  # the lease of one of those may expire
                return Trial(self.get_space(), status=TrialStatus.IDLE)
            self._exhausted |= trial.status == TrialStatus.STOPPED
            return trial

    @property
    def total(self) -> int | float | None:
        """The number of trials of the whole search; None or infinity where it is not limited."""
        return self.max_trials

    @property
    def is_finished(self) -> bool:
        """Whether no trial is left, ongoing, or queued to be retried, and every worker knows it."""
        with self.lock():
            exhausted = self._exhausted or (self.max_trials and len(self.end_order) >= self.max_trials)
            has_ended = exhausted and not self.ongoing_trials and not self.retry_queue
            return bool(self.closed or has_ended) and not self.tuner_ids

    def get_trial(self, trial_id: str) -> Trial:
        """Takes the heartbeat of a trial's worker, and returns the trial; its status is STOPPED where it must stop.

        Raises:
            KeyError: If there is no such trial.
        """
        with self.lock():
            trial = super().get_trial(trial_id)
            for tuner_id, ongoing in self.ongoing_trials.items():
                if ongoing.trial_id == trial_id:
                    self._heartbeats[tuner_id] = time.monotonic()
            if self.closed or trial.status in FINISHED:  # or another worker was faster
                copy = Trial(trial.hyperparameters, trial_id, TrialStatus.STOPPED)
                copy.metrics = trial.metrics
                return copy
            return trial

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Stores the scores of a trial, unless it has ended."""
        with self.lock():
            trial = self.trials[trial_id]
            if trial.status in FINISHED:
                return trial
            trial.metrics = Trial(trial.hyperparameters).metrics  # empty ones
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial: Trial) -> None:
        """Ends a trial once: a worker whose lease has expired may be faster than the next one."""
        with self.lock():
            if self.trials[trial.trial_id].status in FINISHED:
                return
            if trial.trial_id in self.retry_queue:
                self.retry_queue.remove(trial.trial_id)
            trial.message = str(trial.hyperparameters.values.get(REASON, trial.message or ""))
            # Messages between machines reorder the values, and add those of inactive parameters.
            trial.hyperparameters = self.trials[trial.trial_id].hyperparameters
            super().end_trial(trial)
            self.tuner_ids.discard(f"{PREVIOUS_WORKER} {trial.trial_id}")

    def expire_leases(self) -> None:
        """Queues the trials of workers whose heartbeat is lost to be retried by others."""
        with self.lock():
            now, before = time.monotonic(), len(self._expired)
            for tuner_id in sorted(self.tuner_ids) if self.has_leases else ():
                if now - self._heartbeats.get(tuner_id, now) > LEASE_S:
                    self.tuner_ids.discard(tuner_id)
                    if trial := self.ongoing_trials.pop(tuner_id, None):
                        self.retry_queue.append(trial.trial_id)
                        self._expired.append((tuner_id, trial.trial_id))
            if len(self._expired) > before:
                self.save()

    def pop_expired(self) -> list[tuple[str, str]]:
        """Returns (worker, trial) of the leases that have expired since the last call."""
        with self.lock():
            expired, self._expired = self._expired, []
            return expired
