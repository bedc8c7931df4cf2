"""The epochs of a training: steps, validation, callbacks; each can begin after any step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tfrec.utils import interrupts

if TYPE_CHECKING:
    from tfrec.training.checkpoint import TrainingCheckpoint
    from tfrec.training.step import Training


class EpochLoop:
    """Keras's `fit` with two differences: an epoch can begin within, and a signal takes effect between two steps.

    Args:
        training: the model in training.
        checkpoint: knows the position, and is one of the callbacks.
        callbacks: Keras's callbacks.
        validation: the batches of the validation split; None where a callback validates.
        validation_steps: their number.
        verbose: Keras's.
    """

    def __init__(
        self,
        training: Training,
        checkpoint: TrainingCheckpoint,
        callbacks: list[keras.callbacks.Callback],
        validation: tf.data.Dataset | None,
        validation_steps: int,
        verbose: str | int,
    ) -> None:
        self.training, self.checkpoint = training, checkpoint
        self.validation, self.validation_steps = validation, validation_steps
        self.callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=checkpoint.config.epochs,
            steps=checkpoint.steps_per_epoch,
            model=training,
        )

    def __enter__(self) -> EpochLoop:
        self.training.stop_training = False
        self.callbacks.on_train_begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        if error is None:
            self.callbacks.on_train_end()

    def run(self, batches: tf.data.Dataset, end: int) -> None:
        """Trains until `end` epochs are finished or a callback stops the training.

        Args:
            batches: what is left of the epochs, one after the other.
            end: number of finished epochs at the end.
        """
        self.training.make_train_function()
        iterator = iter(tf.distribute.get_strategy().experimental_distribute_dataset(batches))
        while self.checkpoint.state["epoch"] < end and not self.training.stop_training:
            self._run_epoch(iterator)

    def _run_epoch(self, iterator: Iterator[Any]) -> None:
        epoch = self.checkpoint.state["epoch"]
        self.training.reset_metrics()
        self.callbacks.on_epoch_begin(epoch)  # restores the metrics of an epoch that begins within
        logs = self.checkpoint.state["logs"]
        if logs is None:
            self._run_steps(iterator)
            logs = {name: float(value) for name, value in self.training.get_metrics_result().items()}
            self.checkpoint.end_steps(logs)
        logs = dict(logs)
        if self.validation is not None:
            scores = self.training.evaluate(
                self.validation, steps=self.validation_steps, callbacks=self.callbacks, return_dict=True
            )
            logs |= {f"val_{name}": score for name, score in scores.items()}
        self.callbacks.on_epoch_end(epoch, logs)

    def _run_steps(self, iterator: Iterator[Any]) -> None:
        for step in range(self.checkpoint.state["step"], self.checkpoint.steps_per_epoch):
            self.callbacks.on_train_batch_begin(step)
            with interrupts.deferred():  # a step and the number of steps change together
                logs = self.training.train_function(iterator)
                self.checkpoint.count_step()
            self.callbacks.on_train_batch_end(step, logs)
            if self.training.stop_training:
                break
