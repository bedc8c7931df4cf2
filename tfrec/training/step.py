"""The training step: features, outputs, loss, gradients, update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines import frontends
from pipelines.datasets.base import Split
from tfrec.training import _compat
from tfrec.training.accumulation import GradientAccumulator, step_function
from tfrec.training.average import AveragedWeights
from tfrec.training.distributed import replicas, strategies
from tfrec.training.distributed.cluster import ALONE
from tfrec.training.losses import group_dro

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer


class Training(keras.Model):
    """A recognizer in training on one split; Keras's `fit` runs its steps, and so does a plain loop.

    It is complete once constructed; `compile` gives it an optimizer, as it does every Keras model. Its frontend
    augments, and its network is the recognizer's own. A batch is that of an update of the weights: the devices of a
    strategy share its examples, and with `fit.accumulate_steps` each computes its share in parts, one after the other.
    The gradient is that of the mean loss of the whole batch.

    Args:
        recognizer: what is trained.
        split: the training split, with the task's targets as labels.
    """

    def __init__(self, recognizer: Recognizer, split: Split) -> None:
        super().__init__(name="training")
        config = recognizer.config
        self.task = recognizer.task
        self.frontend = frontends.build(config.frontend, augment=True, seed=config.seed, split=split)
        self.mixing = frontends.build_mix(config.frontend, config.seed)
        self.pretext = self.task.pretext(recognizer)
        self.network = recognizer.network
        self.recognizer: Recognizer = recognizer.replace(frontend=self.frontend, inference_network=self.network)
        self.average = AveragedWeights(self.network, config.fit.average) if config.fit.average else None
        # The recognizer that is validated and kept: with averaged weights where they are configured.
        self.evaluated: Recognizer = self.recognizer.replace(inference_network=self.kept_network)
        self.group_loss = group_dro.build(recognizer, split)
        self.loss_tracker, *self.task_metrics = self._build_metrics()
        self._build_layers()
        self.parts = config.fit.accumulate_steps
        self._norms = _compat.batch_norms(self.network) if replicas.count() > 1 else []
        if config.fit.sync_batch_norm:
            for norm in self._norms:
                _compat.synchronize(norm, replicas.summed)
        self.accumulator = GradientAccumulator(self.trainable_variables) if self.parts > 1 else None

    def _build_metrics(self) -> list[keras.Metric]:
        """Metrics; of several workers those of this one, which the chief can save without the others."""

        def build() -> list[keras.Metric]:
            return [keras.metrics.Mean(name="loss"), *self.task.metrics()]

        return build() if strategies.current() is ALONE else replicas.outside(build)

    def _build_layers(self) -> None:
        """Builds every layer by a symbolic call: under a distribution strategy Keras trains built models only."""
        features = self.frontend(self.frontend.inputs(), training=True)
        if self.mixing is not None:
            self.mixing(features, training=True)
        if self.pretext is not None:
            self.pretext(features)
        self.built = True

    @property
    def kept_network(self) -> keras.Model:
        """The network that is validated and saved: the averaged one, or else the trained one."""
        return self.network if self.average is None else self.average.network

    @property
    def metrics(self) -> list[keras.Metric]:
        """What Keras resets at the start of each epoch."""
        return [self.loss_tracker, *self.task_metrics]

    def make_train_function(self, force: bool = False) -> Any:
        """Keras's compiled step, or that of several parts or workers."""
        if self.accumulator is None and strategies.current() is ALONE:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function: Any = step_function(self)
        return self.train_function

    def train_step(self, data: Any) -> dict[str, Any]:
        """One update of the weights by a batch.

        Args:
            data: `(inputs, targets)`, inputs being raw, or features where the host computes them; with group weights
                targets are `(targets, groups)`, see `group_dro.attach`.

        Returns:
            The running means of the loss and of the task's metrics.
        """
        if self.accumulator is None:
            self.update(*self.gradients(data))
            return self.results()
        for number in range(self.parts):
            self.add_part(*self.part(data, number))
        return self.update_by_parts()

    def part(self, data: Any, number: Any) -> tuple[Any, Any]:
        """Part `number` of a batch, and the number of examples of the whole batch, as `gradients` takes them."""
        inputs, targets, is_counted = keras.utils.unpack_x_y_sample_weight(data)
        examples = ops.shape(keras.tree.flatten(inputs)[0])[0]
        start, end = number * examples // self.parts, (number + 1) * examples // self.parts
        # A batch may have fewer examples than parts: then some parts are an example of another, which does not count.
        is_part = ops.cast(end > start, "float32") * (1.0 if is_counted is None else is_counted)
        inputs, targets = tf.nest.map_structure(
            lambda values: values[start : tf.maximum(end, start + 1)], (inputs, targets)
        )
        return (inputs, targets, is_part), replicas.summed(examples)

    def add_part(self, data: Any, examples: Any) -> None:
        """Adds the gradients of what `part` has returned to those of the parts before it."""
        assert self.accumulator is not None
        self.accumulator.add(*self.gradients(data, examples), self.trainable_variables)

    def update_by_parts(self) -> dict[str, Any]:
        """One update of the weights by the sum of all parts; returns what `train_step` does."""
        assert self.accumulator is not None
        self.update(*self.accumulator.take(self.trainable_variables))
        return self.results()

    def gradients(self, data: Any, examples: Any = None) -> tuple[list[Any], Any]:
        """A part of a batch to gradients and count, by which `update` finds the gradients of the whole batch.

        Args:
            data: `(inputs, targets)`, or `(inputs, targets, 0.0 or 1.0)`: whether the part counts.
            examples: number of examples of the whole batch, on all devices; None is that of `data` on all devices.

        Returns:
            The gradients of the sum of the examples' losses divided by `examples`, times the scale of the loss; and
            float32 (3,): the number of examples that count and the sum of their losses, both divided by `examples`, and
            the number of examples of the part. None instead of these where `data` is the whole batch.
        """
        inputs, targets, is_counted = keras.utils.unpack_x_y_sample_weight(data)
        targets, groups = (targets, None) if self.group_loss is None else targets
        inputs = self.task.training_inputs(inputs, targets)
        with tf.GradientTape() as tape:
            outputs, targets, weights = self.training_outputs(inputs, targets)
            if self.group_loss is None:
                loss = self.compute_loss(y=targets, y_pred=outputs, sample_weight=weights)
            else:
                loss = self.group_loss(self.example_losses(outputs, targets, weights), groups) + self.regularization()
            if examples is None and replicas.count() == 1:
                sums, scaled_loss = None, self.optimizer.scale_loss(loss)
            else:
                sums = self._sums(outputs, targets, loss, examples, 1.0 if is_counted is None else is_counted)
                scaled_loss = self.optimizer.scale_loss(sums[1])
        gradients = tape.gradient(scaled_loss, self.trainable_variables)
        if sums is None:
            self.update_metrics(outputs, targets, loss)
        else:
            self._update_task_metrics(outputs, targets, is_counted)
        return gradients, sums

    def _sums(self, outputs: Any, targets: Any, loss: Any, examples: Any, is_counted: Any) -> Any:
        size = ops.shape(keras.tree.flatten(outputs)[0])[0]
        examples = ops.cast(replicas.summed(size) if examples is None else examples, "float32")
        part = ops.cast(self.task.loss_count(outputs, targets), "float32") / examples * is_counted
        return ops.stack([part, ops.cast(loss, "float32") * part, ops.cast(size, "float32") * is_counted])

    def _update_task_metrics(self, outputs: Any, targets: Any, is_counted: Any) -> None:
        def update() -> Any:
            self.task.update_metrics(self.task_metrics, outputs, targets)
            return tf.constant(0)

        if is_counted is None:
            update()
        else:
            tf.cond(is_counted > 0, update, lambda: tf.constant(0))

    def update(self, gradients: list[Any], sums: Any) -> None:
        """One update of the weights by what `gradients` has returned for all parts of a batch, added up."""
        if sums is not None:
            gradients, (part, loss, examples) = replicas.summed(gradients), ops.unstack(replicas.summed(sums), 3)
            part = ops.maximum(part, 1e-6)
            gradients = [None if each is None else each / part for each in gradients]
            self.loss_tracker.update_state(loss / part, sample_weight=examples)
        self.optimizer.apply(gradients, self.trainable_variables)
        if self._norms and not self.recognizer.config.fit.sync_batch_norm:
            self._average_statistics()
        if self.average is not None:
            self.average.update(self.optimizer.iterations)

    def _average_statistics(self) -> None:
        """Batch normalization's moving averages become their means over the devices, which see different examples."""
        variables = [variable for norm in self._norms for variable in (norm.moving_mean, norm.moving_variance)]
        flat = ops.concatenate([ops.convert_to_tensor(variable) for variable in variables])
        means = ops.split(replicas.summed(flat) / replicas.count(), np.cumsum([v.shape[0] for v in variables])[:-1])
        for variable, mean in zip(variables, means, strict=True):
            variable.assign(mean)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of a batch by the network that is kept, without augmentation unless the task needs it."""
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        inputs = self.recognizer.as_received(self.task.training_inputs(inputs, targets))
        if self.task.augments_validation or self.pretext is not None:
            features = self.recognizer.features(inputs, training=self.task.augments_validation)
            inputs, targets = self._with_pretext(features, targets)
        outputs = self.evaluated(inputs)
        return self.update_metrics(outputs, targets, self.task.loss(outputs, targets))

    def training_outputs(self, inputs: Any, targets: Any) -> tuple[Any, Any, Any]:
        """Outputs of a batch in training, their targets, and the weight of each own target where examples are mixed."""
        inputs, weights = self.recognizer.as_received(inputs), None
        if self.mixing is not None:
            features, weights = self.mixing(self.recognizer.features(inputs, training=True), training=True)
            inputs = self.recognizer.as_features(features)
        elif self.pretext is not None:
            inputs, targets = self._with_pretext(self.recognizer.features(inputs, training=True), targets)
        return self.recognizer(inputs, training=True), targets, weights

    def _with_pretext(self, features: Any, targets: Any) -> tuple[Any, Any]:
        """The features of a batch as the network takes them, and the targets, which may be made of the features."""
        if self.pretext is not None:
            features, targets = self.pretext(features)
        return self.recognizer.as_features(features), targets

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The task's loss of a batch, and the network's own regularization.

        A mixed example holds a part `sample_weight` of its own and the rest of the one before it: its loss is that part
        of the loss for its own target and the rest of that for its partner's, which for cross-entropy is the loss for
        the mixed label (Zhang et al. 2017, arXiv:1710.09412).
        """
        if sample_weight is None:
            loss = self.task.loss(y_pred, y)
        else:
            partner = ops.roll(y, 1, axis=0)
            loss = self.task.loss(y_pred, y, sample_weight) + self.task.loss(y_pred, partner, 1.0 - sample_weight)
        return loss + self.regularization()

    def example_losses(self, outputs: Any, targets: Any, weights: Any) -> Any:
        """The task's losses `(batch,)`; a mixed example belongs to the group of its own part."""
        losses = self.task.example_losses(outputs, targets)
        if weights is None:
            return losses
        partners = self.task.example_losses(outputs, ops.roll(targets, 1, axis=0))
        return weights * losses + (1.0 - weights) * partners

    def regularization(self) -> Any:
        """The sum of the network's own losses."""
        return sum(self.network.losses)

    def update_metrics(self, outputs: Any, targets: Any, loss: Any) -> dict[str, Any]:
        """Adds a batch to the running means and returns them; each example counts by its own target."""
        size = ops.shape(keras.tree.flatten(outputs)[0])[0]  # 0 on a device that has no example of a small batch
        self.loss_tracker.update_state(ops.where(size > 0, loss, 0.0), sample_weight=size)
        self.task.update_metrics(self.task_metrics, outputs, targets)
        return self.results()

    def results(self) -> dict[str, Any]:
        """The running means of the loss and of the task's metrics."""
        return {metric.name: metric.result() for metric in self.metrics}
