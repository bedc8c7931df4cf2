"""Splits by fractions."""

import numpy as np
import pytest

from pipelines.datasets.base import DataConfig
from pipelines.datasets.files import Row
from pipelines.datasets.splitting import split_indices, split_rows
from pipelines.errors import UserError


def test_classes_are_in_proportion():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    kept, taken = split_indices(labels, 0.2, seed=0)
    assert sorted([*kept, *taken]) == list(range(100))
    np.testing.assert_array_equal(np.bincount(labels[taken]), [12, 6, 2])
    np.testing.assert_array_equal(split_indices(labels, 0.2, seed=0)[1], taken)
    assert not np.array_equal(split_indices(labels, 0.2, seed=1)[1], taken)


def test_groups_are_on_one_side():
    groups = np.arange(100) % 10
    kept, taken = split_indices(np.zeros(100, int), 0.2, seed=0, groups=groups)
    assert len(taken) == 20
    assert not set(groups[kept]) & set(groups[taken])
    with pytest.raises(UserError, match=r"that would be 1 of 1 groups; change data\.test_fraction"):
        split_indices(np.zeros(4, int), 0.2, seed=0, groups=np.zeros(4))


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 0, 0, 1], "the rarest class has 1"), ([0, 0, 1, 1, 2, 2], "sides of 4 and 2 examples, too few for 3")],
)
def test_too_few_examples(labels, message):
    with pytest.raises(UserError, match=message):
        split_indices(np.array(labels), 0.2, seed=0)


def test_rows_without_classes_are_split_at_random():
    rows = [Row(f"{i}.wav") for i in range(50)]
    parts = split_rows(rows, np.zeros(50, np.int64), DataConfig(split_seed=1))
    assert {name: len(part) for name, part in parts.items()} == {"train": 36, "test": 10, "validation": 4}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(50))
    again = split_rows(rows, np.zeros(50, np.int64), DataConfig(split_seed=1))
    other = split_rows(rows, np.zeros(50, np.int64), DataConfig(split_seed=2))
    np.testing.assert_array_equal(parts["test"], again["test"])
    assert not np.array_equal(parts["test"], other["test"])
