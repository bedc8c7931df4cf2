"""Jobs of the scheduler: trials of an oracle, here or on another machine, that are trained and scored."""

import functools
import time
from collections.abc import Callable
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from pipelines.errors import UserError
from tfrec.utils.scheduler import Job, Worker
from tuning.execution import trials
from tuning.execution.plan import Plan
from tuning.oracles.persistent import REASON
from tuning.search_space.parameters import active_values

HEARTBEAT_INTERVAL_S = 5.0
IDLE_INTERVAL_S = 1.0  # between two requests to an oracle that waits for other trials


class TrialSource:
    """The source of a Scheduler: the next trial of an oracle for each worker, until the oracle has no more.

    Args:
        oracle: A PersistentOracle, or Keras Tuner's client of one.
        plan: What all trials share.
        prefix: With a worker's number it is the unique name of that worker.
    """

    def __init__(self, oracle: Any, plan: Plan, prefix: str) -> None:
        self.oracle, self.plan, self.prefix = oracle, plan, prefix

    def __call__(self, worker: Worker) -> Job | None:
        """Waits for a trial; None where the oracle has no more."""
        while True:
            worker.check_stopped()
            trial = self.oracle.create_trial(f"{self.prefix}{worker.number}")
            if trial.status == TrialStatus.STOPPED:
                return None
            if trial.status != TrialStatus.IDLE:
                return Job(trial.trial_id, functools.partial(self._train, trial))
            worker.sleep(IDLE_INTERVAL_S)

    def _train(self, trial: Trial, worker: Worker) -> None:
        label, values = trial.trial_id, active_values(self.plan.parameters, trial.hyperparameters.values)
        ended = Trial(trial.hyperparameters.copy(), label, TrialStatus.COMPLETED)  # the oracle's own stays unchanged
        heartbeat = Heartbeat(self.oracle, label, worker.is_stopping)
        try:
            scores = trials.train(self.plan, label, values, heartbeat, worker.resources.environment)
        except trials.TrialStoppedError:
            worker.sleep(IDLE_INTERVAL_S)  # the oracle may return the same trial again
            return
        except (trials.TrialError, UserError) as error:
            ended.status = TrialStatus.FAILED
            ended.hyperparameters.values[REASON] = str(error)
        else:
            self.oracle.update_trial(label, scores)
        self.oracle.end_trial(ended)


class Heartbeat:
    """Reports to the oracle every `HEARTBEAT_INTERVAL_S` that a trial is in progress; a call checks whether to stop."""

    def __init__(self, oracle: Any, label: str, is_stopping: Callable[[], bool]) -> None:
        self.oracle, self.label, self.is_stopping, self.last = oracle, label, is_stopping, time.monotonic()

    def __call__(self) -> bool:
        """Returns whether the trial should continue."""
        if self.is_stopping():
            return False
        if time.monotonic() - self.last < HEARTBEAT_INTERVAL_S:
            return True
        self.last = time.monotonic()
        return self.oracle.get_trial(self.label).status != TrialStatus.STOPPED
