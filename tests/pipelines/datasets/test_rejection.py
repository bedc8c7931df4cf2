import dataclasses

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets
from pipelines.datasets import folder, memory, recorded, rejection
from pipelines.datasets.base import Corpus, DataConfig
from pipelines.errors import UserError

RATE_HZ = 8000


def words(count=12):
    generator = np.random.default_rng(0)
    return [(0.1 * generator.standard_normal(2000 + 10 * i)).astype("float32") for i in range(count)]


def corpus(**changes):
    clips = words()
    split = memory.clips(clips, np.arange(12) % 2, map(str, range(12)), RATE_HZ)
    values = {"name": "test", "modality": "audio", "class_names": ("no", "yes"), "sample_rate_hz": RATE_HZ}
    return Corpus(splits=dict.fromkeys(("train", "validation", "test"), split), **values | changes)


def test_silence_is_a_class_of_its_own():
    extended = rejection.add_classes(corpus(), DataConfig(silence_fraction=0.5))
    assert extended.class_names == ("no", "yes", "silence")
    added = {}
    for name, split in extended.splits.items():
        assert split.size == 18
        assert np.bincount(split.labels).tolist() == [6, 6, 6]
        examples = list(split.examples.as_numpy_iterator())
        for example, waveform in zip(examples, words(), strict=False):
            np.testing.assert_array_equal(example["audio"], waveform)
        added[name] = [example["audio"] for example in examples[12:]]
        assert [example["label"] for example in examples[12:]] == [2] * 6
        lengths = np.array([len(clip) for clip in added[name]]) / RATE_HZ
        assert (lengths >= 0.29).all()
        assert (lengths <= 1.5).all()
        assert [bool(np.any(clip)) for clip in added[name]] == [False, True, True] * 2
        assert all(np.abs(clip).max() <= 1 for clip in added[name])
    assert not np.array_equal(added["train"][1][:1000], added["test"][1][:1000])
    again = rejection.add_classes(corpus(), DataConfig(silence_fraction=0.5))
    for first, second in zip(
        extended.splits["test"].examples.as_numpy_iterator(),
        again.splits["test"].examples.as_numpy_iterator(),
        strict=True,
    ):
        np.testing.assert_array_equal(first["audio"], second["audio"])


def test_unknown_words_come_from_a_folder(tmp_path):
    for i, clip in enumerate(words(40)):
        soundfile.write(tmp_path / f"{i}.wav", clip, 16000)
    extended = rejection.add_classes(corpus(), DataConfig(unknown=str(tmp_path), test_fraction=0.3))
    assert extended.class_names == ("no", "yes", "unknown")
    sizes = {name: split.size - 12 for name, split in extended.splits.items()}
    assert sum(sizes.values()) == 40
    assert min(sizes.values()) >= 1
    example = list(extended.splits["train"].examples.as_numpy_iterator())[-1]
    assert example["label"] == 2
    assert 900 < len(example["audio"]) < 1300  # at half the rate
    more = [*words(41)][40:]
    soundfile.write(tmp_path / "another.wav", more[0], 16000)
    moved = rejection.add_classes(corpus(), DataConfig(unknown=str(tmp_path), test_fraction=0.3))
    assert sum(abs(moved.splits[name].size - 12 - size) for name, size in sizes.items()) == 1


def test_what_is_left_out_of_unknown_words_is_told(tmp_path):
    for i, clip in enumerate(words(6)):
        soundfile.write(tmp_path / f"{i}.wav", clip, RATE_HZ)
    (tmp_path / "list.txt").write_text("words")
    Image.new("RGB", (4, 4)).save(tmp_path / "picture.png")
    notes = " ".join(rejection.add_classes(corpus(), DataConfig(unknown=str(tmp_path))).notes)
    assert "1 file with another ending was left out" in notes
    assert "1 file is left out, since it is not audio." in notes
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.raises(UserError, match=r"gone\.wav is a link to"):
        rejection.add_classes(corpus(), DataConfig(unknown=str(tmp_path)))


def test_classes_that_are_left_out_become_unknown(tmp_path):
    for word in ("go", "stop", "cat", "dog", "bed"):
        (tmp_path / word).mkdir()
        for i, clip in enumerate(words(20)):
            soundfile.write(tmp_path / word / f"{i}.wav", clip * (1 + len(word) + hash_of(word)) / 20, RATE_HZ)
    config = folder.Config(
        path=str(tmp_path), only_classes=("stop", "go"), unknown="others", silence_fraction=0.2, name="folder"
    )
    loaded = datasets.load(config)
    assert loaded.class_names == ("stop", "go", "unknown", "silence")
    counts = np.bincount(loaded.splits["train"].labels)
    assert counts[2] == np.ceil(counts[:2].mean())
    rows = [row for split in loaded.splits.values() for row in split.rows]
    assert {row.label for row in rows if row.path} == {"stop", "go", "unknown"}
    kept = [
        dataclasses.replace(row, split=name) for name, split in loaded.splits.items() for row in split.rows if row.path
    ]
    again = recorded.load(config, kept, ("test",), class_names=loaded.class_names)
    for first, second in zip(
        loaded.splits["test"].examples.as_numpy_iterator(),
        again.splits["test"].examples.as_numpy_iterator(),
        strict=True,
    ):
        assert first["label"] == second["label"]
        np.testing.assert_array_equal(first["audio"], second["audio"])


def hash_of(word):
    return sum(map(ord, word)) % 7


def test_bad_settings(tmp_path):
    with pytest.raises(UserError, match="no classes of clips"):
        rejection.add_classes(corpus(modality="image"), DataConfig(silence_fraction=0.1))
    with pytest.raises(UserError, match="holds no audio files"):
        rejection.add_classes(corpus(), DataConfig(unknown=str(tmp_path)))
    with pytest.raises(ValueError, match="needs the classes to keep"):
        DataConfig(unknown="others")
    with pytest.raises(ValueError, match="silence_fraction"):
        DataConfig(silence_fraction=2)
