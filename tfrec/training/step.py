"""The model that is trained: frontend with augmentation, network, mixed examples, averaged weights."""

import keras
import tensorflow as tf
from keras import ops

from pipelines import frontends


def training_model(recognizer, split):
    """(model for `fit` on batches of a split, frontend); the model shares its weights with `recognizer.net`."""
    config = recognizer.config
    frontend = frontends.build(config.frontend, augment=True, seed=config.seed, split=split)
    if config.frontend.placement == "host":
        inputs = features = recognizer.net.input
    else:
        inputs = frontend.inputs()
        features = frontend(inputs)
    if recognizer.takes_tokens and config.frontend.placement == "device":
        inputs = {**inputs, "tokens": keras.Input((None,), name="tokens", dtype="int32")}
        features = {**features, "tokens": inputs["tokens"]}
    mixing = frontends.build_mix(config.frontend, config.seed)
    if mixing is None:
        model = TrainingModel(inputs, recognizer.net(features), name="recognizer")
    else:
        mixed, weight = mixing(features)
        model = TrainingModel(inputs, {"logits": recognizer.net(mixed), "weight": weight}, name="recognizer")
    model.net = recognizer.net
    model.task = recognizer.task
    if hasattr(model.task, "left_out"):
        model.left_out = keras.metrics.Sum(name="left_out")
    if config.fit.average:
        net = keras.models.clone_model(recognizer.net)
        model.keep_average(net, keras.Model(inputs, net(features)), config.fit.average)
    return model, frontend


class TrainingModel(keras.Model):
    """Raw examples -> logits, or {"logits", "weight"} where examples are mixed, each with the one before it.

    There the loss of example i is weight[i] times the one for its own label and the rest for its partner's, which for
    cross-entropy is the loss for the mixed label (Zhang et al. 2017, arXiv:1710.09412).
    """

    average = task = None

    def keep_average(self, net, model, momentum):
        """Keeps in `net`, which `model` validates with, the moving average of the weights of `self.net`.

        Batch normalization's statistics are averaged like all else. The average starts as a plain mean, so that it
        forgets the first weights (as `tf.train.ExponentialMovingAverage` does with `num_updates`).
        """
        net.trainable = False
        net.set_weights(self.net.get_weights())
        self.average, self.average_net, self.momentum = model, net, momentum

    @property
    def kept_net(self):
        """The network that is judged on the validation split and kept."""
        return self.net if self.average is None else self.average_net

    def train_step(self, data):
        """Keras's step, then the average's."""
        logs = super().train_step(data)
        if self.average is not None:
            steps = ops.cast(self.optimizer.iterations, "float32")
            move = 1.0 - ops.minimum(self.momentum, steps / (9.0 + steps))
            # The same on every device, once for all of them.
            tf.distribute.get_replica_context().merge_call(self._move_average, args=(move,))
        return logs

    def _move_average(self, strategy, move):
        def assign(average, weight, move):
            average.assign_add(move * (tf.convert_to_tensor(weight) - average))

        for average, weight in zip(self.average_net.weights, self.net.weights, strict=True):
            if "float" in weight.dtype:
                strategy.extended.update(average.value, assign, args=(weight.value, move), group=False)

    def call(self, inputs, training=None, mask=None):
        """The network, or, outside training, its average where there is one."""
        if self.average is None or training:
            return super().call(inputs, training=training, mask=mask)
        return self.average(inputs, training=False)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The task's own where it has one for a whole batch; that of mixed labels; Keras's own for all else."""
        if hasattr(self.task, "batch_loss"):
            # As Keras does, the mean over all devices that take a part of the batch.
            devices = tf.distribute.get_strategy().num_replicas_in_sync
            return (self.task.batch_loss(y, y_pred) + sum(self.losses)) / devices
        if not isinstance(y_pred, dict):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        own, logits = y_pred["weight"], y_pred["logits"]
        partner = ops.roll(y, 1, axis=0)
        return super().compute_loss(x, y, logits, own) + super().compute_loss(x, partner, logits, 1.0 - own)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Of the logits; accuracy counts an example's own label, of which a mixed one holds a part."""
        if hasattr(self, "left_out"):
            self.left_out.update_state(self.task.left_out(y, y_pred))
        mixed = isinstance(y_pred, dict) and "weight" in y_pred
        return super().compute_metrics(x, y, y_pred["logits"] if mixed else y_pred, sample_weight)
