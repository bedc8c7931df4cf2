"""The choice of examples for the grid of augmented examples."""

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Split
from tfrec.reports import augmentation


def test_examples_are_chosen_among_the_first_of_a_split():
    examples = tf.data.Dataset.range(5000).map(lambda i: {"label": i % 7, "image": tf.fill((2, 2, 1), i)})
    for labels in (None, np.arange(5000) % 7):
        chosen = augmentation.choose_examples(Split(examples, 5000, labels), 5, seed=1)
        taken = [example["image"][0, 0, 0] for example in chosen.examples.as_numpy_iterator()]
        assert chosen.size == len(taken) == len(set(taken)) == 5
        assert max(taken) < augmentation.POOL
        assert len({i % 7 for i in taken}) == 5 or labels is None
    assert augmentation.choose_examples(Split(examples.take(3), 3), 5, seed=1).size == 3
