"""Batches on several devices."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.training.distributed import replicas


@pytest.mark.parametrize(
    ("size", "padded"), [(1, [0, 0, 0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3, 0, 1]), (5, [0, 1, 2, 3, 4])]
)
def test_no_replica_is_without_examples(size, padded):
    numbers = np.arange(size)
    batches = tf.data.Dataset.from_tensors(({"features": 10.0 * numbers}, numbers))
    ((inputs, label),) = replicas.pad_batches(batches, 3)
    assert label.numpy().tolist() == padded
    assert inputs["features"].numpy().tolist() == [10.0 * number for number in padded]
