"""Moving averages of weights."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


class AveragedWeights(keras.layers.Layer):
    """A copy of a network whose weights are the moving average of the network's over the steps.

    Batch normalization's statistics are averaged like all else. The average starts as a plain mean, so that it forgets
    the first weights (as `tf.train.ExponentialMovingAverage` does with `num_updates`).

    Args:
        network: the network that is trained.
        momentum: how much of the average stays at each step, from 0 to below 1.
    """

    def __init__(self, network: keras.Model, momentum: float) -> None:
        super().__init__(name="average", trainable=False)
        self.network = keras.models.clone_model(network)
        self.network.trainable = False
        self.network.set_weights(network.get_weights())
        self.momentum = momentum
        self.built = True
        self._pairs = [
            (average.value, weight.value)
            for average, weight in zip(self.network.weights, network.weights, strict=True)
            if "float" in weight.dtype
        ]

    def update(self, iterations: Any) -> None:
        """Moves the average toward the network's weights after step `iterations`, counted from 1."""
        steps = ops.cast(iterations, "float32")
        rate = 1.0 - ops.minimum(self.momentum, steps / (9.0 + steps))
        # The same on every device, once for all of them.
        tf.distribute.get_replica_context().merge_call(self._update_all, args=(rate,))

    def _update_all(self, strategy: tf.distribute.Strategy, rate: Any) -> None:
        def assign(average: tf.Variable, weight: Any, rate: Any) -> None:
            average.assign_add(rate * (tf.convert_to_tensor(weight) - average))

        for average, weight in self._pairs:
            strategy.extended.update(average, assign, args=(weight, rate), group=False)
