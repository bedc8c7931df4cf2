"""Some classes, and some examples of each."""

import dataclasses

import numpy as np
import pytest

from pipelines import datasets
from pipelines.datasets import digits
from pipelines.errors import UserError


def pixels(split):
    return np.stack([example["image"] for example in split.examples.as_numpy_iterator()])


def labels(split):
    return np.array([example["label"] for example in split.examples.as_numpy_iterator()])


def test_some_classes_in_the_order_named():
    whole = datasets.load(digits.Config())
    some = datasets.load(digits.Config(only_classes=("7", "2")))
    assert some.class_names == ("7", "2")
    for name, split in some.splits.items():
        original = whole.splits[name]
        kept = np.isin(original.labels, [7, 2])
        np.testing.assert_array_equal(pixels(split), pixels(original)[kept])
        np.testing.assert_array_equal(labels(split), np.where(original.labels[kept] == 7, 0, 1))
        np.testing.assert_array_equal(labels(split), split.labels)
        assert split.size == len(split.sources) == kept.sum()
        assert [source for source, keep in zip(original.sources, kept, strict=True) if keep] == split.sources


def test_some_examples_of_each_class_to_train_on():
    config = digits.Config(examples_per_class=5)
    few, whole = datasets.load(config), datasets.load(digits.Config())
    np.testing.assert_array_equal(np.bincount(labels(few.splits["train"])), [5] * 10)
    assert few.splits["test"].size == whole.splits["test"].size
    np.testing.assert_array_equal(pixels(few.splits["train"]), pixels(datasets.load(config).splits["train"]))
    # Labels that only a pass over the data can tell give the same.
    unlabelled = {name: dataclasses.replace(split, labels=None) for name, split in whole.splits.items()}
    again = datasets.subset(dataclasses.replace(whole, splits=unlabelled), config)
    np.testing.assert_array_equal(pixels(again.splits["train"]), pixels(few.splits["train"]))
    other = datasets.load(dataclasses.replace(config, split_seed=1))
    assert not np.array_equal(pixels(other.splits["train"]), pixels(few.splits["train"]))


def test_mistakes():
    with pytest.raises(UserError, match=r"data.only_classes.*'eleven'"):
        datasets.load(digits.Config(only_classes=("1", "eleven")))
    with pytest.raises(ValueError, match="at least two"):
        digits.Config(only_classes=("1",))
    with pytest.raises(ValueError, match=r"Received: \('1', '1'\)"):
        digits.Config(only_classes=("1", "1"))
    with pytest.raises(ValueError, match="Received: 0"):
        digits.Config(examples_per_class=0)
