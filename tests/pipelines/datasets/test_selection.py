"""Some classes, some examples of each, and validation examples to train on."""

import dataclasses

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets
from pipelines.datasets import digits, folder, manifest, memory
from pipelines.datasets.base import Corpus, DataConfig
from pipelines.datasets.selection import join_validation, select_classes
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
    # Labels that only a pass over the data finds give the same.
    unlabeled = {name: dataclasses.replace(split, labels=None) for name, split in whole.splits.items()}
    again = select_classes(dataclasses.replace(whole, splits=unlabeled), config)
    np.testing.assert_array_equal(pixels(again.splits["train"]), pixels(few.splits["train"]))
    other = datasets.load(dataclasses.replace(config, split_seed=1))
    assert not np.array_equal(pixels(other.splits["train"]), pixels(few.splits["train"]))


def test_metadata_follows_the_examples(tmp_path):
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


def test_corpora_without_classes(tmp_path):
    for i in range(6):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(800), 8000, subtype="PCM_16")
    (tmp_path / "list.csv").write_text("path,text\n" + "".join(f"{i}.wav,word\n" for i in range(6)))
    for fields in ({"only_classes": ("a", "b")}, {"examples_per_class": 1}):
        with pytest.raises(UserError, match=r"manifest has no classes: leave out data\.only_classes"):
            datasets.load(manifest.Config(path=str(tmp_path / "list.csv"), **fields))


def test_wrong_settings():
    with pytest.raises(UserError, match=r"data.only_classes.*'eleven'"):
        datasets.load(digits.Config(only_classes=("1", "eleven")))
    with pytest.raises(ValueError, match="at least two"):
        digits.Config(only_classes=("1",))
    with pytest.raises(ValueError, match=r"Received: \('1', '1'\)"):
        digits.Config(only_classes=("1", "1"))
    with pytest.raises(ValueError, match="Received: 0"):
        digits.Config(examples_per_class=0)


JOIN = DataConfig(train_on_validation=True)


def spoken(count, **lists):
    clips = [np.full(100 + i, 0.1, "float32") for i in range(count)]
    return memory.clips(clips, None, [f"{count}-{i}" for i in range(count)], 8000, texts=["a"] * count, **lists)


def test_validation_examples_follow_those_of_the_training_split():
    config = datasets.digits.Config(name="digits")
    before = datasets.load(config)
    after = datasets.load(dataclasses.replace(config, train_on_validation=True))
    train, validation = before.splits["train"], before.splits["validation"]
    assert after.splits["train"].size == train.size + validation.size
    pixels = [example["image"] for example in after.splits["train"].examples.as_numpy_iterator()]
    assert len(pixels) == after.splits["train"].size == len(after.splits["train"].labels)
    last = [example["image"] for example in validation.examples.as_numpy_iterator()]
    np.testing.assert_array_equal(pixels[train.size :], last)
    assert list(after.splits["train"].labels[train.size :]) == list(validation.labels)
    assert after.splits["validation"].size == validation.size
    assert "data.train_on_validation" in after.notes[-1]
    assert not before.notes


def test_lists_and_arrays_are_joined():
    splits = {"train": spoken(3), "validation": spoken(2), "test": spoken(1)}
    train = join_validation(Corpus("words", "audio", (), splits, 8000), JOIN).splits["train"]
    assert train.sources == ["3-0", "3-1", "3-2", "2-0", "2-1"]
    assert train.texts == ["a"] * 5
    np.testing.assert_allclose(train.seconds, np.array([100, 101, 102, 100, 101]) / 8000)
    assert train.speakers is None
    assert int(train.examples.cardinality()) == 5


def test_a_field_that_one_split_lacks_is_none():
    splits = {"train": dataclasses.replace(spoken(3), speakers=["x"] * 3), "validation": spoken(2), "test": spoken(1)}
    assert join_validation(Corpus("words", "audio", (), splits, 8000), JOIN).splits["train"].speakers is None


def test_nothing_is_joined_by_default():
    corpus = Corpus("words", "audio", (), {"train": spoken(3), "validation": spoken(2)}, 8000)
    assert join_validation(corpus, DataConfig()) is corpus


@pytest.mark.parametrize("fields", [{}, {"only_classes": ("b", "a"), "examples_per_class": 3}])
def test_examples_in_files_stay_undecoded(tmp_path, fields):
    for name in "abc":
        (tmp_path / name).mkdir()
        for i in range(8):
            Image.new("L", (3, 3), 10 * i + "abc".index(name)).save(tmp_path / name / f"{i}.png")
    config = folder.Config(path=str(tmp_path), channels=1, train_on_validation=True, **fields)
    train = datasets.load(config).splits["train"]
    assert train.late() is not None
    examples = list(train.examples.as_numpy_iterator())
    assert len(examples) == train.size == len(train.sources)
    for example, source, label in zip(examples, train.sources, train.labels, strict=True):
        name, number = source.split("/")[-2], int(source.split("/")[-1].split(".")[0])
        assert int(example["image"][0, 0, 0]) == 10 * number + "abc".index(name)
        assert example["label"] == label == (fields.get("only_classes") or tuple("abc")).index(name)
