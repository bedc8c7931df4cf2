"""The examples of each batch that one of several workers takes, so that together they take the whole batch."""

import dataclasses
from typing import Any

import tensorflow as tf

from pipelines.datasets.base import Split


@dataclasses.dataclass(frozen=True)
class Share:
    """Every `count`-th example of a batch, from number `index` on."""

    index: int = 0
    count: int = 1

    def of_split(self, split: Split) -> Split:
        """Every `count`-th example of a split, as one that only its examples and its size belong to."""
        if self.count == 1:
            return split
        size, late = len(range(self.index, split.size, self.count)), split.late()
        if late is not None:
            return Split.from_rows(late.rows.shard(self.count, self.index), late.decode, size, late.block)
        return Split(split.examples.shard(self.count, self.index), size)

    def of_rows(self, rows: tf.data.Dataset, size: int, batch_size: int) -> tf.data.Dataset:
        """The rows of this worker; a last batch of which it has none is one row that belongs to another.

        Args:
            rows: Elements (position in the epoch, ...).
            size: Number of examples of an epoch.
            batch_size: Examples of a batch of all workers, a multiple of `count`.

        Returns:
            The elements that are left.
        """
        if self.count == 1:
            return rows
        own = rows.filter(lambda position, *row: position % self.count == self.index)
        return own.concatenate(rows.take(1)) if self._is_left_out(size, batch_size) else own

    def flagged(self, batches: tf.data.Dataset, size: int, batch_size: int, first_batch: int) -> tf.data.Dataset:
        """(inputs, label) of `of_rows` -> (inputs, label, 1.0 or 0.0): whether the examples are this worker's own.

        Where there is one worker, all stays as it is.
        """
        if self.count == 1:
            return batches
        last = -(-size // batch_size) - 1 if self._is_left_out(size, batch_size) else -1

        def flag(number: Any, batch: Any) -> Any:
            return (*batch, tf.where(number == last, 0.0, 1.0))

        return batches.enumerate(first_batch).map(flag)

    def of_batches(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """(inputs, label) of whole batches -> those of this worker, flagged as `flagged` does."""
        return batches.map(lambda *batch: self.of_batch(batch))

    def of_batch(self, batch: Any) -> tuple[Any, ...]:
        """(inputs, label) of a whole batch, or with a flag behind them, -> those of this worker, with a flag."""
        data, flag = batch[:2], batch[2] if len(batch) > 2 else 1.0
        size = tf.shape(tf.nest.flatten(data)[0])[0]
        is_own = tf.cast(size > self.index, tf.float32)
        first = tf.minimum(self.index, size - 1)
        return (*tf.nest.map_structure(lambda part: part[first :: self.count], data), is_own * flag)

    def _is_left_out(self, size: int, batch_size: int) -> bool:
        return 0 < size % batch_size <= self.index


WHOLE = Share()
