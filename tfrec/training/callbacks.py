"""What happens between the steps and the epochs of a training."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import keras

from pipelines.errors import UserError

if TYPE_CHECKING:
    from tfrec.tasks.base import Task
    from tfrec.training.checkpoint import TrainingCheckpoint

logger = logging.getLogger(__name__)

Logs = dict[str, Any] | None
WORKER_SEEDS = 10_000_019  # between the states of randomness of two workers


class EpochSeeds(keras.callbacks.Callback):
    """Sets every source of randomness in the model from the seed and the epoch's number.

    Keras neither saves nor restores these states; set this way, a resumed run draws what an uninterrupted one would.
    """

    on_every_worker = True

    def __init__(self, seed: int, worker: int = 0) -> None:
        super().__init__()
        self.seed, self.worker = seed, worker

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Gives each generator a state of its own."""
        states = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        for i, state in enumerate(states):
            state.assign([self.seed * 100_003 + self.worker * WORKER_SEEDS + i, epoch << 20])


class WidenMasks(keras.callbacks.Callback):
    """SpecAugment's masks grow linearly from nothing to their full width over a number of epochs."""

    on_every_worker = True

    def __init__(self, masks: Any, epochs: float) -> None:
        super().__init__()
        self.masks, self.epochs = masks, epochs

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Sets the width of this epoch's masks."""
        self.masks.strength.assign(min(epoch / self.epochs, 1.0))


class StopOnNaN(keras.callbacks.Callback):
    """Ends the run when the loss of a step is NaN or infinite, naming the step.

    Keras may call it from a thread, some steps later (`async_safe`): so no step waits for its loss to come back from
    the device. An epoch with such a step never ends, and nothing of it is kept.
    """

    async_safe = True
    on_every_worker = True

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Remembers the epoch for the message."""
        self.epoch = epoch
        self.bad_batches: list[int] = []

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The loss is a running mean, which one bad step spoils for good: the first bad mean is the bad step."""
        if not math.isfinite((logs or {})["loss"]):
            self.bad_batches.append(batch)
            self._stop()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Waits no longer for the thread; the last step may also have spoiled the weights after its own loss."""
        logs = logs or {}
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("val_loss", 0.0)):
            self._stop()

    def _stop(self) -> None:
        where = f"at batch {min(self.bad_batches) + 1}" if self.bad_batches else "at the last batches"
        raise UserError(
            f"Training diverged: the loss is NaN or infinite {where} of epoch {self.epoch + 1}: lower"
            " fit.learning_rate, set fit.clip_norm, or check the examples for NaN; the finished epochs are kept in the"
            " run."
        )


class EpochWarnings(keras.callbacks.Callback):
    """Logs what the task says of an epoch's figures, each sentence once."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.given: set[str] = set()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Asks the task."""
        for sentence in self.task.epoch_warnings(logs or {}):
            if sentence not in self.given:
                logger.warning("Epoch %d: %s", epoch + 1, sentence)
            self.given.add(sentence)


class TimeBudget(keras.callbacks.Callback):
    """Ends a training when its minutes are over, within an epoch if need be, and advances the schedule by time."""

    async_safe = True

    def __init__(self, checkpoint: TrainingCheckpoint) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.seconds = 60 * (checkpoint.config.budget_minutes or math.inf)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Compares the time spent with the budget."""
        spent = self.checkpoint.seconds() / self.seconds
        self.checkpoint.schedule.spent.assign(min(spent, 1.0))
        if spent >= 1:
            self.model.stop_training = True
