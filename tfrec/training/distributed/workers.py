"""The loop of a training on several machines: each worker takes its share of every batch, the chief writes."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.datasets.share import Share
from pipelines.errors import UserError
from tfrec.training import replicas
from tfrec.training.distributed import strategies

if TYPE_CHECKING:
    from tfrec.training.checkpoint import TrainingCheckpoint
    from tfrec.training.step import Training

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)


class WorkerLoop:
    """Runs the steps of a Training on one of several workers, as Keras's `fit` does on one machine.

    All workers take the same steps. What is decided on one of them, such as the end of the training, is decided for
    all after the same step. Callbacks with an attribute `on_every_worker` run on each, others on the
    chief.

    Args:
        training: the model in training, compiled in the scope of the strategy.
        checkpoint: of this training; whether it is over and its schedule become those of the chief.
    """

    def __init__(self, training: Training, checkpoint: TrainingCheckpoint) -> None:
        self.training, self.checkpoint, self.schedule = training, checkpoint, checkpoint.schedule
        self.cluster = strategies.current()
        self.strategy = tf.distribute.get_strategy()
        self.devices = replicas.count() // self.cluster.count  # of this worker

        @tf.function
        def summed(values: Any) -> Any:
            return replicas.first(self.strategy.run(replicas.summed, args=(values,)))

        @tf.function(reduce_retracing=True)
        def test_step(data: Any) -> None:
            self.strategy.run(training.test_step, args=(data,))

        self._summed, self._test_step = summed, test_step

    def fit(
        self,
        batches: tf.data.Dataset,
        steps_per_epoch: int,
        initial_epoch: int = 0,
        epochs: int = 1,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        validation_data: tf.data.Dataset | None = None,
        verbose: str | int = 0,
        shuffle: bool = False,
    ) -> None:
        """Trains; the arguments are those of `keras.Model.fit`, and the batches those of this worker's share.

        Raises:
            UserError: where a worker has ended, or as a callback raises it.
        """
        training = self.training
        with self._lost_workers_named():
            called = self._callbacks(callbacks, verbose, epochs, steps_per_epoch)
            training.make_train_function()
            training.stop_training = False
            batch = self._distributed(iter(batches))
            called("on_train_begin")
            for epoch in range(initial_epoch, epochs):
                self._epoch(epoch, steps_per_epoch, batch, called)
                logs = self._results()
                if validation_data is not None:
                    logs |= {f"val_{name}": value for name, value in self._validate(validation_data).items()}
                called("on_epoch_end", epoch, logs)
                if self._agree_to_stop():
                    break
            called("on_train_end")

    def _epoch(self, epoch: int, steps: int, batches: Iterator[Any], called: Callable[..., None]) -> None:
        self.training.reset_metrics()
        called("on_epoch_begin", epoch)
        for step in range(steps):
            called("on_train_batch_begin", step)
            logs = self.training.train_function(batches)
            called("on_train_batch_end", step, {name: float(value) for name, value in logs.items()})
            if self._agree_to_stop():
                break

    def _distributed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Batches of this worker, divided among its devices."""
        for batch in batches:
            yield batch if self.devices == 1 else self._divided(batch)

    def _divided(self, batch: Any) -> Any:
        first = self.cluster.index * self.devices

        def part(context: Any) -> Any:
            return Share(context.replica_id_in_sync_group - first, self.devices).of_batch(batch)

        return self.strategy.experimental_distribute_values_from_function(part)

    def _agree_to_stop(self) -> bool:
        """Whether the training ends here, on all workers if on one; the schedule becomes the chief's."""
        of_chief = float(self.cluster.is_chief)
        own = [float(self.training.stop_training)]
        own += [of_chief * float(ops.convert_to_numpy(value)) for value in (self.schedule.scale, self.schedule.spent)]
        own.append(of_chief * self.checkpoint.done)
        stop, scale, spent, done = self._sum_over_workers(np.array(own, "float32"))
        if not self.cluster.is_chief:
            self.schedule.scale.assign(scale)
            self.schedule.spent.assign(spent)
            self.checkpoint.state["stopped"] = bool(done)
        self.training.stop_training = bool(stop > 0)
        return self.training.stop_training

    def _sum_over_workers(self, values: Any) -> np.ndarray:
        return self._summed(tf.convert_to_tensor(values)).numpy() / self.devices

    def _results(self) -> dict[str, float]:
        """The metrics of all workers together."""
        variables = [variable for metric in self.training.metrics for variable in metric.variables]
        flat = np.concatenate([np.ravel(ops.convert_to_numpy(variable)) for variable in variables])
        totals = self._sum_over_workers(flat)
        places = np.cumsum([int(np.prod(variable.shape)) for variable in variables])[:-1]
        for variable, total in zip(variables, np.split(totals, places), strict=True):
            variable.assign(total.reshape(variable.shape))
        return {name: float(value) for name, value in self.training.results().items()}

    def _validate(self, batches: tf.data.Dataset) -> dict[str, float]:
        self.training.reset_metrics()
        for batch in batches:
            self._test_step(batch)
        return self._results()

    def _callbacks(
        self, callbacks: Sequence[keras.callbacks.Callback], verbose: str | int, epochs: int, steps: int
    ) -> Callable[..., None]:
        """A function that calls a method of every callback of this worker."""
        own = [each for each in callbacks if self.cluster.is_chief or getattr(each, "on_every_worker", False)]
        shown = 2 if verbose == "auto" else int(verbose)
        if shown and self.cluster.is_chief:
            own.append(keras.callbacks.ProgbarLogger())
        for callback in own:
            callback.set_model(self.training)
            callback.set_params({"verbose": shown, "epochs": epochs, "steps": steps})

        def call(method: str, *arguments: Any) -> None:
            for callback in own:
                function = functools.partial(getattr(callback, method), *arguments)
                # In the scope of the strategy a new variable waits for all workers, and these run on the chief alone.
                function() if getattr(callback, "on_every_worker", False) else replicas.outside(function)

        return call

    @contextlib.contextmanager
    def _lost_workers_named(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            if not isinstance(error, LOST) and "Collective ops is aborted" not in str(error):
                raise
            raise UserError(
                f"{self.cluster.describe_lost(str(error))} has ended or cannot be reached, so that the training stops;"
                f" see what it has printed, and resume with --run {os.fspath(self.checkpoint.run.path)} --resume."
            ) from error
