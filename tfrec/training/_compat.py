"""Private members of Keras that training needs; tests/tfrec/training/test_compat.py fails when they change."""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops


class SummedGradients:
    """Mixed into a Keras optimizer: `apply` takes gradients that the devices of a strategy have added up already.

    Keras adds them up itself, after it has clipped those of each device by themselves.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[Any]:
        return list(grads_and_vars)


def variable_index(optimizer: keras.Optimizer, variable: Any) -> int:
    """The place of a variable among those that an optimizer was built for.

    `update_step` is called with the backend's variable, for which Keras has no public lookup.
    """
    return optimizer._get_variable_index(variable)


def batch_norms(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch normalization layers of a network, those inside other layers too."""
    layers = network._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def synchronize(layer: keras.layers.BatchNormalization, summed: Callable[[Any], Any]) -> None:
    """Lets batch normalization in training normalize by the statistics of all devices, of masked sequences too.

    Keras's `synchronized` knows no mask, and loses digits: it computes a variance as a difference of two means.

    Args:
        layer: the layer.
        summed: from tensors to their sums over all devices.
    """
    layer._moments = functools.partial(_moments, layer, summed)


def _moments(layer: Any, summed: Callable[[Any], Any], inputs: Any, mask: Any) -> tuple[Any, Any]:
    axes = layer._reduction_axes
    if mask is None:
        is_inside, epsilon = ops.ones_like(inputs, dtype="bool"), 0.0
    else:  # as Keras counts
        is_inside, epsilon = ops.broadcast_to(ops.expand_dims(mask, -1), ops.shape(inputs)), keras.backend.epsilon()
    count = ops.sum(ops.cast(is_inside, inputs.dtype), axes, keepdims=True)
    total = ops.sum(ops.where(is_inside, inputs, 0), axes, keepdims=True)
    total, count = summed((total, count))
    mean = total / (count + epsilon)
    squares = ops.sum(ops.square(ops.where(is_inside, inputs - mean, 0)), axes, keepdims=True)
    variance = summed(squares) / (count + epsilon)
    return ops.squeeze(mean, axes), ops.squeeze(variance, axes)
