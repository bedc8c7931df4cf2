"""Columns of examples: ours, and those of a manifest."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.datasets import example_columns
from pipelines.datasets.base import Split
from pipelines.datasets.files import Row
from pipelines.errors import UserError


def split(count=4, **fields):
    return Split(tf.data.Dataset.range(count), count, **fields)


def test_columns_of_a_split():
    rows = [Row("a", speaker="x", further=(("device", "phone"), ("age", str(i)))) for i in range(3)]
    of = split(rows=[*rows, Row("")])
    assert example_columns.names(of) == ["speaker", "device", "age"]
    assert example_columns.values(of, "device") == ["phone", "phone", "phone", "(none)"]
    assert example_columns.values(of, "speaker") == ["x", "x", "x", "(none)"]
    assert example_columns.values(dataclasses.replace(of, speakers=list("abcd")), "speaker") == list("abcd")
    assert example_columns.values(of, "age") == ["0", "1", "2", "(none)"]
    with pytest.raises(UserError, match=r"'devise'.*device"):
        example_columns.values(of, "devise")
    with pytest.raises(UserError, match=r"no column 'age' and no other"):
        example_columns.values(split(), "age")


def test_noises_of_a_corpus_that_comes_with_them():
    of = split(conditions=[("crowd", 5.0), ("crowd", -5.0), (None, np.inf), ("wind", 0.5)])
    assert example_columns.values(of, "noise") == ["crowd", "crowd", "(none)", "wind"]
    assert example_columns.values(of, "snr") == ["5", "-5", "clean", "0.5"]


def test_many_numbers_are_divided_at_their_quartiles():
    rows = [Row("a", further=(("snr", str(i / 2)),) if i < 40 else ()) for i in range(42)]
    found = example_columns.values(split(42, rows=rows), "snr")
    assert found[:10] == ["0 to 4.875"] * 10
    assert [found.count(value) for value in dict.fromkeys(found)] == [10, 10, 10, 10, 2]
