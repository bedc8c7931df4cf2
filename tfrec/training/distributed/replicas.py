"""The devices of a distribution strategy, inside a step that runs on each of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import tensorflow as tf

T = TypeVar("T")


def count() -> int:
    """The number of devices that each take a part of a batch, on all machines."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def summed(values: Any) -> Any:
    """Tensors, or None, in any structure -> their sums over all devices, the same on each."""
    if count() == 1:
        return values
    flat = tf.nest.flatten(values)
    # Operations have a device, which the sum needs; arguments of a function have none.
    given = [tf.identity(tf.convert_to_tensor(value)) for value in flat if value is not None]
    sums = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, given))
    return tf.nest.pack_sequence_as(values, [None if value is None else next(sums) for value in flat])


def outside(make: Callable[[], T]) -> T:
    """Calls `make` outside the scope of a strategy: the variables that it makes are those of this process alone."""
    with ThreadPoolExecutor(1) as thread:  # another thread, where no scope has been entered
        return thread.submit(make).result()


def first(values: Any) -> Any:
    """What `tf.distribute.Strategy.run` has returned -> the values of the first device of this machine."""
    strategy = tf.distribute.get_strategy()
    return tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], values)


def pad_batches(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """Pads batches of which a replica would get no example: the first examples repeat at the end.

    TensorFlow gives each replica in turn the same number of examples, until there are none left.

    Args:
        batches: batches of any structure.
        count: number of replicas.

    Returns:
        the same batches; those that are padded have a multiple of `count` examples.
    """

    def pad(*batch: Any) -> Any:
        size = tf.shape(tf.nest.flatten(batch)[0])[0]
        share = -(-size // count)
        has_empty = share * (count - 1) >= size
        indices = tf.range(tf.where(has_empty, share * count, size)) % size
        return tf.nest.map_structure(lambda part: tf.gather(part, indices), batch)

    return batches.map(pad)
