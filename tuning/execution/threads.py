"""Threads that take trials from an oracle, here or on another machine, train them, and return the scores."""

import threading
import time
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from pipelines.errors import UserError
from tuning.execution import trials
from tuning.execution.plan import Plan
from tuning.execution.workers import Allocation
from tuning.oracles.persistent import REASON
from tuning.search_space.parameters import active_values

HEARTBEAT_INTERVAL_S = 5.0
IDLE_INTERVAL_S = 1.0  # between two requests to an oracle that waits for other trials


class TrialThread(threading.Thread):
    """Trains trials until the oracle has no more, or `stopping` is set.

    Attributes:
        error: The exception that ended the thread, or None.
    """

    def __init__(
        self,
        oracle: Any,
        tuner_id: str,
        plan: Plan,
        allocation: Allocation,
        stopping: threading.Event,
        after: threading.Thread | None = None,
    ) -> None:
        """Creates the thread.

        Args:
            oracle: A PersistentOracle, or Keras Tuner's client of one.
            tuner_id: The unique name of this worker.
            plan: What all trials share.
            allocation: The part of the machine for the trainings.
            stopping: Interrupts the training and ends the thread.
            after: A thread that must end before the first trial starts.
        """
        super().__init__(name=tuner_id, daemon=True)
        self.oracle, self.plan, self.allocation, self.stopping, self.after = oracle, plan, allocation, stopping, after
        self.error: BaseException | None = None

    def run(self) -> None:
        """Trains one trial after another."""
        try:
            self.allocation.bind_thread()
            if self.after is not None:
                self.after.join()
            while not self.stopping.is_set():
                trial = self.oracle.create_trial(self.name)
                if trial.status == TrialStatus.STOPPED:
                    return
                if trial.status == TrialStatus.IDLE:
                    self.stopping.wait(IDLE_INTERVAL_S)
                else:
                    self._train(trial)
        except BaseException as error:
            self.error = error

    def _train(self, trial: Trial) -> None:
        label, values = trial.trial_id, active_values(self.plan.parameters, trial.hyperparameters.values)
        ended = Trial(trial.hyperparameters.copy(), label, TrialStatus.COMPLETED)  # the oracle's own stays unchanged
        heartbeat = Heartbeat(self.oracle, label, self.stopping)
        try:
            scores = trials.train(self.plan, label, values, heartbeat, self.allocation.environment)
        except trials.TrialStoppedError:
            self.stopping.wait(IDLE_INTERVAL_S)  # the oracle may return the same trial again
            return
        except (trials.TrialError, UserError) as error:
            ended.status = TrialStatus.FAILED
            ended.hyperparameters.values[REASON] = str(error)
        else:
            self.oracle.update_trial(label, scores)
        self.oracle.end_trial(ended)


class Heartbeat:
    """Reports to the oracle every `HEARTBEAT_INTERVAL_S` that a trial is in progress; a call checks whether to stop."""

    def __init__(self, oracle: Any, label: str, stopping: threading.Event) -> None:
        self.oracle, self.label, self.stopping, self.last = oracle, label, stopping, time.monotonic()

    def __call__(self) -> bool:
        """Returns whether the trial should continue."""
        if self.stopping.is_set():
            return False
        if time.monotonic() - self.last < HEARTBEAT_INTERVAL_S:
            return True
        self.last = time.monotonic()
        return self.oracle.get_trial(self.label).status != TrialStatus.STOPPED
