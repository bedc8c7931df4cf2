"""The validation examples behind those of the training split."""

import dataclasses

import numpy as np

from pipelines import datasets
from pipelines.datasets import memory
from pipelines.datasets.base import Corpus, DataConfig
from pipelines.datasets.joined import joined

JOIN = DataConfig(train_on_validation=True)


def spoken(count, **lists):
    clips = [np.full(100 + i, 0.1, "float32") for i in range(count)]
    return memory.clips(clips, None, [f"{count}-{i}" for i in range(count)], 8000, texts=["a"] * count, **lists)


def test_digits():
    config = datasets.digits.Config(name="digits")
    before = datasets.load(config)
    after = datasets.load(dataclasses.replace(config, train_on_validation=True))
    train, validation = before.splits["train"], before.splits["validation"]
    assert after.splits["train"].size == train.size + validation.size
    pixels = [example["image"] for example in after.splits["train"].examples.as_numpy_iterator()]
    assert len(pixels) == after.splits["train"].size == len(after.splits["train"].labels)
    behind = [example["image"] for example in validation.examples.as_numpy_iterator()]
    np.testing.assert_array_equal(pixels[train.size :], behind)
    assert list(after.splits["train"].labels[train.size :]) == list(validation.labels)
    assert after.splits["validation"].size == validation.size
    assert "data.train_on_validation" in after.notes[-1]
    assert not before.notes


def test_lists_and_arrays_run_on():
    splits = {"train": spoken(3), "validation": spoken(2), "test": spoken(1)}
    train = joined(Corpus("words", "audio", (), splits, 8000), JOIN).splits["train"]
    assert train.sources == ["3-0", "3-1", "3-2", "2-0", "2-1"]
    assert train.texts == ["a"] * 5
    np.testing.assert_allclose(train.seconds, np.array([100, 101, 102, 100, 101]) / 8000)
    assert train.speakers is None
    assert int(train.examples.cardinality()) == 5


def test_what_one_split_does_not_know_neither_does_the_whole():
    splits = {"train": dataclasses.replace(spoken(3), speakers=["x"] * 3), "validation": spoken(2), "test": spoken(1)}
    assert joined(Corpus("words", "audio", (), splits, 8000), JOIN).splits["train"].speakers is None


def test_off_by_default():
    corpus = Corpus("words", "audio", (), {"train": spoken(3), "validation": spoken(2)}, 8000)
    assert joined(corpus, DataConfig()) is corpus
