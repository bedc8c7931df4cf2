"""Folds, and splits put together."""

import numpy as np
import pytest

from pipelines import datasets
from pipelines.errors import UserError
from tfrec.labels import cross_validation


def test_each_fold_has_a_share_of_every_class():
    labels = np.repeat([0, 1, 2], [40, 8, 4])
    folds = cross_validation.folds_of(labels, "abc", 4, seed=1)
    for fold in range(4):
        np.testing.assert_array_equal(np.bincount(labels[folds == fold]), [10, 2, 1])
    np.testing.assert_array_equal(folds, cross_validation.folds_of(labels, "abc", 4, seed=1))
    assert (folds != cross_validation.folds_of(labels, "abc", 4, seed=2)).any()


def test_near_copies_are_in_one_fold():
    labels, copies = np.tile([0, 1], 30), [(7, 40), (3, 9), (40, 22), (0, 7)]
    folds = cross_validation.folds_of(labels, "ab", 5, 0, copies)
    assert len(set(folds[[0, 7, 40, 22]])) == 1
    assert folds[3] == folds[9]
    before = cross_validation.folds_of(labels, "ab", 5, 0)
    assert (folds != before).sum() <= 4


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 6 + [1] * 3, r"3 examples of dog are too few for --folds 4: lower it"),
        ([0] * 6 + [1], r"1 example of dog is too few for --folds 4"),
        ([1] * 8, r"all examples are dog: at least two classes"),
    ],
)
def test_too_few_examples(labels, message):
    with pytest.raises(UserError, match=message):
        cross_validation.folds_of(np.array(labels), ("cat", "dog", "emu"), 4, 0)


def test_all_splits_are_one():
    corpus = datasets.load(datasets.digits.Config(name="digits"))
    pooled = cross_validation.pool(corpus)
    assert pooled.size == 1797
    assert len(set(pooled.sources)) == 1797
    assert cross_validation.split_names(corpus)[1292:1294] == ["train", "validation"]
    examples = list(pooled.examples.as_numpy_iterator())
    np.testing.assert_array_equal([example["label"] for example in examples], pooled.labels)
