"""Workers take trials from an oracle, here or on another machine, train them, and hand the scores back."""

import dataclasses
import os
import threading
import time

import tensorflow as tf
from keras_tuner.engine.trial import Trial, TrialStatus

from pipelines.errors import UserError
from tuning import spaces, trials
from tuning.oracles import REASON

BEAT_SECONDS = 5.0  # between two words to the oracle that a trial is still at work
IDLE_SECONDS = 1.0  # before asking again an oracle that waits for others


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the processes of a worker run: the cores, None for any, and what is added to their environment."""

    cores: tuple[int, ...] | None = None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)

    def take(self):
        """From here on what this thread starts runs there; threads of one process can each have their own cores."""
        if self.cores:
            os.sched_setaffinity(0, self.cores)


def places(workers):
    """Divides the cores that this process may use, and the GPUs, among so many workers.

    More workers than cores or GPUs share them. TensorFlow counts the cores that it may run on by itself.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    result = []
    for number in range(workers):
        own = cores[len(cores) * number // workers : len(cores) * (number + 1) // workers]
        own = own or cores[number % len(cores) :][:1] if cores else None
        environment = {"CUDA_VISIBLE_DEVICES": str(number % gpus)} if gpus > 1 and workers > 1 else {}
        result.append(Place(tuple(own) if own else None, environment))
    return result


class Worker(threading.Thread):
    """Works until the oracle has nothing left, or `stopping` is set; what went wrong is then in `error`.

    It begins when the thread `after` has ended.
    """

    def __init__(self, oracle, tuner_id, plan, place, stopping, after=None):
        super().__init__(name=tuner_id, daemon=True)
        self.oracle, self.plan, self.place, self.stopping, self.after = oracle, plan, place, stopping, after
        self.error = None

    def run(self):
        """Trial after trial."""
        try:
            self.place.take()
            if self.after is not None:
                self.after.join()
            while not self.stopping.is_set():
                trial = self.oracle.create_trial(self.name)
                if trial.status == TrialStatus.STOPPED:
                    return
                if trial.status == TrialStatus.IDLE:
                    self.stopping.wait(IDLE_SECONDS)
                else:
                    self._try(trial)
        except BaseException as error:
            self.error = error

    def _try(self, trial):
        label, values = trial.trial_id, spaces.chosen(self.plan.parameters, trial.hyperparameters.values)
        ended = Trial(trial.hyperparameters.copy(), label, TrialStatus.COMPLETED)  # the oracle's own stays as it is
        try:
            scores = trials.train(self.plan, label, values, Beat(self, label), self.place.environment)
        except trials.StopError:
            return
        except (trials.TrialError, UserError) as error:
            ended.status = TrialStatus.FAILED
            ended.hyperparameters.values[REASON] = str(error)
        else:
            self.oracle.update_trial(label, scores)
        self.oracle.end_trial(ended)


class Beat:
    """Tells the oracle every few seconds that a trial is at work, and hears whether it shall go on."""

    def __init__(self, worker, label):
        self.worker, self.label, self.told = worker, label, time.monotonic()

    def __call__(self):
        """Whether it shall."""
        if self.worker.stopping.is_set():
            return False
        if time.monotonic() - self.told < BEAT_SECONDS:
            return True
        self.told = time.monotonic()
        return self.worker.oracle.get_trial(self.label).status != TrialStatus.STOPPED
