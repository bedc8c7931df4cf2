"""The devices of a distribution strategy, inside a step that runs on each of them."""

from typing import Any

import tensorflow as tf


def count() -> int:
    """The number of devices that each take a part of a batch, on all machines."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def summed(values: Any) -> Any:
    """Tensors, or None, in any structure -> their sums over all devices, the same on each."""
    if count() == 1:
        return values
    flat = tf.nest.flatten(values)
    given = [tf.convert_to_tensor(value) for value in flat if value is not None]
    sums = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, given))
    return tf.nest.pack_sequence_as(values, [None if value is None else next(sums) for value in flat])


def first(values: Any) -> Any:
    """What `tf.distribute.Strategy.run` has returned -> the values of the first device of this machine."""
    strategy = tf.distribute.get_strategy()
    return tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], values)
