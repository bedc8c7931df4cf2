"""Gradients of a batch that is computed in parts, one after the other, so that it fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfrec.training import replicas

if TYPE_CHECKING:
    from tfrec.training.step import Training


class GradientAccumulator:
    """Sums of the gradients of several parts of a batch, on each device its own.

    Between two updates of the weights they are 0, so that they belong to no checkpoint.

    Args:
        variables: all that may be trained.
    """

    def __init__(self, variables: Sequence[Any]) -> None:
        self._variables = list(variables)
        self._sums = [_local_zeros(variable.shape, variable.dtype) for variable in variables]
        self._counts = _local_zeros((3,), "float32")

    def add(self, gradients: Sequence[Any], counts: Any, variables: Sequence[Any]) -> None:
        """Adds what `Training.gradients` has returned for `variables`."""
        for gradient, variable in zip(gradients, variables, strict=True):
            if gradient is not None:
                self._sum_of(variable).assign_add(tf.convert_to_tensor(gradient))
        self._counts.assign_add(counts)

    def take(self, variables: Sequence[Any]) -> tuple[list[Any], Any]:
        """The sums of what `add` was given, the gradients for `variables`; all sums become 0."""
        gradients = [tf.identity(self._sum_of(variable)) for variable in variables]
        counts = tf.identity(self._counts)
        with tf.control_dependencies([*gradients, counts]):
            for each in (*self._sums, self._counts):
                each.assign(tf.zeros_like(each))
        return gradients, counts

    def _sum_of(self, variable: Any) -> tf.Variable:
        return next(total for each, total in zip(self._variables, self._sums, strict=True) if each is variable)


def _local_zeros(shape: Sequence[int], dtype: Any) -> tf.Variable:
    """A variable that has a value of its own on each device."""
    return tf.Variable(
        tf.zeros(shape, dtype),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


def step_function(training: Training) -> Callable[[Iterator[Any]], dict[str, Any]]:
    """A function from an iterator of batches to the running means after an update, as Keras's `fit` calls it.

    Each part is a call of the same program: the activations of one are freed before the next begins.
    """
    strategy = training.distribute_strategy

    def part(data: Any, number: Any) -> Any:
        return strategy.run(training.part, args=(data, number))

    def add(data: Any, examples: Any) -> None:
        strategy.run(training.add_part, args=(data, examples))

    def update() -> Any:
        return replicas.first(strategy.run(training.update_by_parts))

    if not training.run_eagerly:
        part = tf.function(part, reduce_retracing=True)  # without XLA, which would compile it for each number
        add = tf.function(add, reduce_retracing=True, jit_compile=training.jit_compile)
        update = tf.function(update, jit_compile=training.jit_compile)

    def step(iterator: Iterator[Any]) -> dict[str, Any]:
        data = next(iterator)
        for number in range(training.parts):
            add(*part(data, tf.constant(number)))
        return update()

    return step
