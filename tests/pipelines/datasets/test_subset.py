"""Some classes, and some examples of each."""

import dataclasses

import numpy as np
import pytest
import soundfile

from pipelines import datasets
from pipelines.datasets import digits, manifest
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
    unlabeled = {name: dataclasses.replace(split, labels=None) for name, split in whole.splits.items()}
    again = datasets.subset(dataclasses.replace(whole, splits=unlabeled), config)
    np.testing.assert_array_equal(pixels(again.splits["train"]), pixels(few.splits["train"]))
    other = datasets.load(dataclasses.replace(config, split_seed=1))
    assert not np.array_equal(pixels(other.splits["train"]), pixels(few.splits["train"]))


def test_what_is_told_of_examples_follows_them(tmp_path):
    lines = ["path,label,text,speaker,group"]
    for i in range(24):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(800 + i), 8000, subtype="PCM_16")
        lines.append(f"{i}.wav,{'abc'[i % 3]},text {i},speaker {i},group {i}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    some = datasets.load(
        manifest.Config(path=str(tmp_path / "list.csv"), only_classes=("c", "a"), examples_per_class=2)
    )
    assert {name: split.size for name, split in some.splits.items()}["train"] == 4
    for split in some.splits.values():
        assert split.size
        examples = list(split.examples.as_numpy_iterator())
        for n, i in enumerate(len(example["audio"]) - 800 for example in examples):
            assert split.texts[n] == f"text {i}"
            assert split.speakers[n] == f"speaker {i}"
            assert split.groups[n] == f"group {i}"
            assert split.seconds[n] == pytest.approx((800 + i) / 8000)
        assert len(examples) == len(split.texts) == len(split.seconds) == split.size


def test_transcripts_have_no_classes(tmp_path):
    for i in range(6):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(800), 8000, subtype="PCM_16")
    (tmp_path / "list.csv").write_text("path,text\n" + "".join(f"{i}.wav,word\n" for i in range(6)))
    for fields in ({"only_classes": ("a", "b")}, {"examples_per_class": 1}):
        with pytest.raises(UserError, match="transcripts and no classes"):
            datasets.load(manifest.Config(path=str(tmp_path / "list.csv"), **fields))


def test_mistakes():
    with pytest.raises(UserError, match=r"data.only_classes.*'eleven'"):
        datasets.load(digits.Config(only_classes=("1", "eleven")))
    with pytest.raises(ValueError, match="at least two"):
        digits.Config(only_classes=("1",))
    with pytest.raises(ValueError, match=r"Received: \('1', '1'\)"):
        digits.Config(only_classes=("1", "1"))
    with pytest.raises(ValueError, match="Received: 0"):
        digits.Config(examples_per_class=0)
