"""The registry of datasets."""

import dataclasses
from typing import get_args

import numpy as np
import pytest

from pipelines import datasets
from pipelines.datasets.base import DataConfig, LabelKind
from pipelines.errors import UserError


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_every_module_follows_the_protocol(name):
    module = datasets.find(name)
    assert issubclass(module.Config, DataConfig)
    assert dataclasses.fields(module.Config)
    assert callable(module.modality)
    assert callable(module.load)
    assert datasets.label_kind(name) in get_args(LabelKind)


def test_label_kinds():
    kinds = {name: datasets.label_kind(name) for name in datasets.DATASETS}
    texts = {"an4", "commonvoice", "librispeech", "multilingual_tts", "timit"}
    pairs = {"digit_pairs", "flickr8k_audio", "paired", "places_audio"}
    named = {**dict.fromkeys(texts, "texts"), **dict.fromkeys(pairs, "pairs")}
    assert kinds == {name: named.get(name, "classes") for name in datasets.DATASETS}
    assert datasets.label_kind("kmnist") == "classes"
    with pytest.raises(UserError, match="did you mean 'an4'"):
        datasets.label_kind("an5")


def test_any_other_tfds_name_is_found():
    assert datasets.find("kmnist") is datasets.tfds
    assert datasets.find("cmaterdb/bangla:1.0.0") is datasets.tfds


def test_unknown_names():
    with pytest.raises(UserError, match="Unknown dataset 'mnits': did you mean 'mnist'"):
        datasets.find("mnits")
    with pytest.raises(UserError, match="did you mean 'digits'"):
        datasets.load(DataConfig(name="digitz"))


def test_digits():
    corpus = datasets.load(datasets.digits.Config())
    assert (corpus.name, corpus.modality, corpus.sample_rate_hz) == ("digits", "image", None)
    assert corpus.class_names == tuple("0123456789")
    assert {name: split.size for name, split in corpus.splits.items()} == {
        "train": 1293,
        "validation": 144,
        "test": 360,
    }
    sources = []
    for split in corpus.splits.values():
        examples = list(split.examples.as_numpy_iterator())
        assert len(examples) == split.size == len(split.sources)
        assert [example["label"] for example in examples] == split.labels.tolist()
        images = np.stack([example["image"] for example in examples])
        assert (images.dtype, images.shape[1:]) == (np.uint8, (8, 8, 1))
        assert (images.min(), images.max()) == (0, 255)
        # Every class in proportion: 174 to 183 of each among 1,797.
        assert np.ptp(np.bincount(split.labels, minlength=10)) <= 0.08 * split.size / 10 + 2
        sources += split.sources
    assert len(set(sources)) == 1797


def test_digits_split_is_seeded():
    first, second, other = (
        datasets.digits.load(datasets.digits.Config(split_seed=seed)).splits["test"].sources for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other
