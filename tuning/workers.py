"""Workers take trials from an oracle, here or on another machine, train them, and hand the scores back."""

import contextlib
import dataclasses
import os
import threading
import time

import tensorflow as tf
from keras_tuner.engine.trial import Trial, TrialStatus

from pipelines.errors import UserError
from tuning import spaces, trials
from tuning.durable import REASON

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

    All get as many cores, so that latencies can be compared; more workers than cores or GPUs share them. TensorFlow
    counts the cores that it may run on by itself; where a system binds none, it is told how many.
    """
    if workers == 1:
        return [Place()]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    share = max(1, (len(cores) or os.cpu_count() or 1) // workers)
    threads = {} if cores else dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(share))
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")  # the names of those that we may use
    if gpus == [""]:
        gpus = list(map(str, range(len(tf.config.list_physical_devices("GPU")))))
    result = []
    for number in range(workers):
        own = tuple(cores[(number * share + i) % len(cores)] for i in range(share)) if cores else None
        environment = dict(threads)
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        if len(gpus) in range(1, workers):
            environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # or the first of those that share one takes all of it
        result.append(Place(own, environment))
    return result


def wait_for(threads, seconds=None):
    """Waits until they have ended, each at most so long; a second Ctrl-C hurries nothing that is being stopped."""
    for one in threads:
        end = None if seconds is None else time.monotonic() + seconds
        while one.is_alive() and (end is None or time.monotonic() < end):
            with contextlib.suppress(KeyboardInterrupt):
                one.join(IDLE_SECONDS)


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
            self.stopping.wait(IDLE_SECONDS)  # the oracle may give the same trial again
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
