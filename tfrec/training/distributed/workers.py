"""The loop of a training on several machines: each worker takes its share of every batch, the chief writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.datasets.share import Share
from tfrec.training.checkpoint import TrainingCheckpoint
from tfrec.training.distributed import replicas, strategies
from tfrec.training.epochs import EpochLoop
from tfrec.training.step import Training


class WorkerLoop(EpochLoop):
    """The EpochLoop of one of several workers.

    All workers take the same steps. What is decided on one of them, such as the end of the training, is decided for
    all after the same step. Callbacks with an attribute `on_every_worker` run on each, others on the chief.

    Args:
        training: the model in training, compiled in the scope of the strategy.
        checkpoint: as for EpochLoop; whether the training is over, and the schedule, become those of the chief.
        callbacks: as for EpochLoop.
        validation: the batches of this worker's share of the validation split; None where a callback validates.
        validation_steps: not used.
        verbose: Keras's, of the chief.
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
        self.cluster = strategies.current()
        self.devices = replicas.count() // self.cluster.count  # of this worker
        own = [each for each in callbacks if self.cluster.is_chief or getattr(each, "on_every_worker", False)]
        shown = verbose if self.cluster.is_chief else 0
        called = [_OnWorker(each) for each in own]
        super().__init__(training, checkpoint, called, validation, validation_steps, shown)
        strategy = tf.distribute.get_strategy()

        @tf.function
        def summed(values: Any) -> Any:
            return replicas.first(strategy.run(replicas.summed, args=(values,)))

        @tf.function(reduce_retracing=True)
        def test_step(data: Any) -> None:
            strategy.run(training.test_step, args=(data,))

        self._summed, self._test_step = summed, test_step

    def run(self, batches: tf.data.Dataset, end: int) -> None:
        """As EpochLoop does; UserError where another worker has ended."""
        with strategies.lost_worker_named(self.checkpoint.run):
            super().run(batches, end)

    def _iterator(self, batches: tf.data.Dataset) -> Iterator[Any]:
        for batch in batches:
            yield batch if self.devices == 1 else self._divided(batch)

    def _divided(self, batch: Any) -> Any:
        first = self.cluster.index * self.devices

        def part(context: Any) -> Any:
            return Share(context.replica_id_in_sync_group - first, self.devices).of_batch(batch)

        return tf.distribute.get_strategy().experimental_distribute_values_from_function(part)

    def _run_epoch(self, iterator: Iterator[Any]) -> None:
        super()._run_epoch(iterator)
        self._is_stopped()  # what the chief has decided at the end of the epoch

    def _is_stopped(self) -> bool:
        """Whether the training ends here, on all workers if on one; the schedule becomes the chief's."""
        of_chief, schedule, state = float(self.cluster.is_chief), self.checkpoint.schedule, self.checkpoint.state
        values = [ops.convert_to_numpy(value) for value in (schedule.scale, schedule.spent)]
        own = [float(self.training.stop_training), *(of_chief * value for value in (*values, state["stopped"]))]
        stop, scale, spent, done = self._sum_over_workers(np.array(own, "float32"))
        if not self.cluster.is_chief:
            schedule.scale.assign(scale)
            schedule.spent.assign(spent)
            state["stopped"] = bool(done)
        self.training.stop_training = bool(stop > 0)
        return self.training.stop_training

    def _sum_over_workers(self, values: Any) -> np.ndarray:
        return self._summed(tf.convert_to_tensor(values)).numpy() / self.devices

    def _means(self) -> dict[str, float]:
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
        return self._means()


class _OnWorker(keras.callbacks.Callback):
    """Calls another callback at the same step on all workers, and outside the strategy's scope.

    In that scope a new variable would wait for all workers, and some callbacks are called by the chief alone.
    """

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        self.callback = callback

    def set_model(self, model: keras.Model) -> None:
        """Keras calls it first."""
        super().set_model(model)
        self.callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Keras calls it first."""
        super().set_params(params)
        self.callback.set_params(params)

    def _call(self, method: str, *arguments: Any) -> None:
        replicas.outside(lambda: getattr(self.callback, method)(*arguments))

    def on_train_begin(self, logs: Any = None) -> None:
        """Calls that of the callback."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Calls that of the callback."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Calls that of the callback."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Calls that of the callback."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Calls that of the callback."""
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Calls that of the callback."""
        self._call("on_train_batch_end", batch, logs)
