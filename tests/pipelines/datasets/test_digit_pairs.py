"""Pictures and clips of digits: nothing is in two splits, and everything of a split is in a pair."""

import numpy as np
import pytest

from pipelines.datasets import digit_pairs, pairing
from pipelines.errors import UserError


def test_pairs_are_of_one_class_and_hold_everything():
    images, clips = np.array([0, 1, 1, 1, 0, 1, 1]), np.array([1, 0, 0, 0, 1])
    pairs = pairing.pair(images, clips, np.random.default_rng(0))
    assert np.array_equal(images[pairs[:, 0]], clips[pairs[:, 1]])
    assert set(pairs[:, 0]) == set(range(7))
    assert set(pairs[:, 1]) == set(range(5))
    assert len(pairs) == 3 + 5  # the more frequent kind of each class is in one pair each
    again = pairing.pair(images, clips, np.random.default_rng(0))
    assert np.array_equal(pairs, again)
    assert not np.array_equal(pairs, pairing.pair(images, clips, np.random.default_rng(1)))


@pytest.fixture(scope="module")
def corpus(data_dir):
    config = digit_pairs.Config(data_dir=str(data_dir / "tfds"), train_images=300, validation_images=100)
    return digit_pairs.load(config)


def test_splits(corpus):
    assert (corpus.modality, corpus.inputs, corpus.sample_rate_hz) == ("image_audio", ("image", "audio"), 8000)
    counts = {
        name: (split.size, len(set(split.image_sources)), len(set(split.audio_sources)))
        for name, split in corpus.splits.items()
    }
    assert counts == {"train": (2025, 300, 2025), "validation": (225, 100, 225), "test": (1000, 1000, 250)}
    for field in ("image_sources", "audio_sources"):
        names = [name for split in corpus.splits.values() for name in set(getattr(split, field))]
        assert len(names) == len(set(names))
    test = corpus.splits["test"]
    assert [int(name[0]) for name in test.audio_sources] == test.labels.tolist()
    example = next(test.examples.as_numpy_iterator())
    assert (example["image"].shape, example["image"].dtype, example["audio"].dtype) == ((28, 28, 1), "uint8", "float32")
    assert example["label"] == test.labels[0]


@pytest.mark.slow
def test_a_speaker_left_out(data_dir):
    prepared = {"data_dir": str(data_dir / "tfds"), "train_images": 300, "validation_images": 100}
    config = digit_pairs.Config(split="speaker", test_speakers=("george",), **prepared)
    splits = digit_pairs.load(config).splits
    assert {name.split("_")[1] for name in splits["test"].audio_sources} == {"george"}
    assert "george" not in {name.split("_")[1] for name in splits["train"].audio_sources}
    assert len(set(splits["test"].audio_sources)) == 500
    with pytest.raises(UserError, match=r"data\.test_images must be at most 9,990"):
        digit_pairs.load(digit_pairs.Config(test_images=10_000, data_dir=str(data_dir / "tfds")))
