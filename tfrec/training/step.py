"""The training step: features, outputs, loss, gradients, update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from keras import ops

from pipelines import frontends
from pipelines.datasets.base import Split
from tfrec.training.average import AveragedWeights

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer


class Training(keras.Model):
    """A recognizer in training on one split; Keras's `fit` runs its steps, and so does a plain loop.

    It is complete once constructed; `compile` gives it an optimizer, as it does every Keras model. Its frontend
    augments, and its network is the recognizer's own.

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
        self.recognizer = recognizer.replace(frontend=self.frontend, inference_network=self.network)
        self.average = AveragedWeights(self.network, config.fit.average) if config.fit.average else None
        # The recognizer that is validated and kept: with averaged weights where they are configured.
        self.evaluated = self.recognizer.replace(inference_network=self.kept_network)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.task_metrics = self.task.metrics()
        self._build_layers()

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

    def train_step(self, data: Any) -> dict[str, Any]:
        """One update of the weights by a batch.

        Args:
            data: `(inputs, targets)`, inputs being raw, or features where the host computes them.

        Returns:
            The running means of the loss and of the task's metrics.
        """
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        inputs = self.task.training_inputs(inputs, targets)
        with tf.GradientTape() as tape:
            outputs, targets, weights = self.training_outputs(inputs, targets)
            loss = self.compute_loss(y=targets, y_pred=outputs, sample_weight=weights)
            scaled_loss = self.optimizer.scale_loss(loss / _replicas())
        variables = self.trainable_variables
        gradients = tape.gradient(scaled_loss, variables)
        self.optimizer.apply(gradients, variables)
        if self.average is not None:
            self.average.update(self.optimizer.iterations)
        return self.update_metrics(outputs, targets, loss)

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
        return loss + sum(self.network.losses)

    def update_metrics(self, outputs: Any, targets: Any, loss: Any) -> dict[str, Any]:
        """Adds a batch to the running means and returns them; each example counts by its own target."""
        self.loss_tracker.update_state(loss, sample_weight=ops.shape(keras.tree.flatten(outputs)[0])[0])
        self.task.update_metrics(self.task_metrics, outputs, targets)
        return {metric.name: metric.result() for metric in self.metrics}


def _replicas() -> int:
    """Devices that each take a part of the batch: their gradients are added up."""
    return tf.distribute.get_strategy().num_replicas_in_sync
