import dataclasses

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets
from pipelines.datasets import folder, memory, recorded, rejection, synthetic_speech
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
    extended = rejection.add_examples(corpus(), DataConfig(silence_fraction=0.5))
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
    again = rejection.add_examples(corpus(), DataConfig(silence_fraction=0.5))
    for first, second in zip(
        extended.splits["test"].examples.as_numpy_iterator(),
        again.splits["test"].examples.as_numpy_iterator(),
        strict=True,
    ):
        np.testing.assert_array_equal(first["audio"], second["audio"])


def test_unknown_words_come_from_a_folder(tmp_path):
    for i, clip in enumerate(words(40)):
        soundfile.write(tmp_path / f"{i}.wav", clip, 16000)
    extended = rejection.add_examples(corpus(), DataConfig(unknown=str(tmp_path), test_fraction=0.3))
    assert extended.class_names == ("no", "yes", "unknown")
    sizes = {name: split.size - 12 for name, split in extended.splits.items()}
    assert sum(sizes.values()) == 40
    assert min(sizes.values()) >= 1
    example = list(extended.splits["train"].examples.as_numpy_iterator())[-1]
    assert example["label"] == 2
    assert 900 < len(example["audio"]) < 1300  # at half the rate
    more = [*words(41)][40:]
    soundfile.write(tmp_path / "another.wav", more[0], 16000)
    moved = rejection.add_examples(corpus(), DataConfig(unknown=str(tmp_path), test_fraction=0.3))
    assert sum(abs(moved.splits[name].size - 12 - size) for name, size in sizes.items()) == 1


def test_what_is_left_out_of_unknown_words_is_told(tmp_path):
    for i, clip in enumerate(words(6)):
        soundfile.write(tmp_path / f"{i}.wav", clip, RATE_HZ)
    (tmp_path / "list.txt").write_text("words")
    Image.new("RGB", (4, 4)).save(tmp_path / "picture.png")
    notes = " ".join(rejection.add_examples(corpus(), DataConfig(unknown=str(tmp_path))).notes)
    assert "1 file with another ending was left out" in notes
    assert "1 file is left out, since it is not audio." in notes
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.raises(UserError, match=r"gone\.wav is a link to"):
        rejection.add_examples(corpus(), DataConfig(unknown=str(tmp_path)))


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
        rejection.add_examples(corpus(modality="image"), DataConfig(silence_fraction=0.1))
    with pytest.raises(UserError, match="holds no audio files"):
        rejection.add_examples(corpus(), DataConfig(unknown=str(tmp_path)))
    with pytest.raises(ValueError, match="needs the classes to keep"):
        DataConfig(unknown="others")
    with pytest.raises(ValueError, match="silence_fraction"):
        DataConfig(silence_fraction=2)


def loaded(corpus, name="train"):
    return [(int(e["label"]), e["audio"]) for e in corpus.splits[name].examples.as_numpy_iterator()]


def test_synthetic_voices_speak_the_names_of_the_classes():
    pytest.importorskip("espeakng_loader")
    extended = rejection.add_examples(corpus(), DataConfig(synthetic_examples=3))
    assert extended.class_names == ("no", "yes")
    assert {name: split.size for name, split in extended.splits.items()} == {"train": 18, "validation": 12, "test": 12}
    added = loaded(extended)[12:]
    assert [label for label, _ in added] == [0, 1, 0, 1, 0, 1]
    assert extended.splits["train"].sources[12:14] == ["synthetic no 0", "synthetic yes 1"]
    assert all(0.15 < len(clip) / RATE_HZ < 1.5 and 0.2 < np.abs(clip).max() <= 1 for _, clip in added)
    assert len({len(clip) for _, clip in added}) > 3
    again = loaded(rejection.add_examples(corpus(), DataConfig(synthetic_examples=3)))[12:]
    for (_, first), (_, second) in zip(added, again, strict=True):
        np.testing.assert_array_equal(first, second)


def test_synthetic_unknown_words():
    pytest.importorskip("espeakng_loader")
    extended = rejection.add_examples(corpus(), DataConfig(unknown="synthetic", unknown_fraction=0.5))
    assert extended.class_names == ("no", "yes", "unknown")
    clips = {}
    for name, split in extended.splits.items():
        assert np.bincount(split.labels).tolist() == [6, 6, 6]
        clips[name] = [clip for label, clip in loaded(extended, name) if label == 2]
        assert all(len(clip) > 0 and np.isfinite(clip).all() for clip in clips[name])
        assert all(0.29 < len(clip) / RATE_HZ < 0.91 for clip in clips[name][2:4])  # pieces of sentences
    spoken = {name: [len(clip) for clip in made[:4]] for name, made in clips.items()}
    assert not set(spoken["train"]) & set(spoken["test"])


def test_silence_beside_unknown_words_has_no_speech():
    config = DataConfig(silence_fraction=0.5, unknown="synthetic", unknown_fraction=0.3)
    pytest.importorskip("espeakng_loader")
    silence = [clip for label, clip in loaded(rejection.add_examples(corpus(), config)) if label == 2]
    assert [bool(np.any(clip)) for clip in silence] == [False, True] * 3


def test_fragments_are_of_the_split():
    split = corpus().splits["train"]
    fragments = rejection._fragments(split, 8, RATE_HZ, np.random.default_rng(0))
    assert len(fragments) == 8
    backward = [clip[::-1] for clip in words()]
    for i in (3, 7):
        assert any(len(clip) == len(fragments[i]) and np.array_equal(clip, fragments[i]) for clip in backward)
    assert any(np.array_equal(clip[: len(fragments[2])], fragments[2]) for clip in words())
    assert any(np.array_equal(clip[len(clip) - len(fragments[6]) :], fragments[6]) for clip in words())


def test_what_is_made_does_not_follow_the_seed_of_the_process():
    made = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        split = corpus().splits["train"]
        made.append(
            rejection._fragments(split, 8, RATE_HZ, np.random.default_rng(0))
            + rejection._silence(corpus(), "train", DataConfig(silence_fraction=0.5))
        )
    for first, second in zip(*made, strict=True):
        np.testing.assert_array_equal(first, second)


def test_no_word_and_no_voice_is_in_two_splits():
    for parts in (synthetic_speech.VOICES, {name: text.split() for name, text in synthetic_speech.WORDS.items()}):
        everything = [item for part in parts.values() for item in part]
        assert len(everything) == len(set(everything))
        assert set(parts) == {"train", "validation", "test"}


def test_a_class_is_no_unknown_word(monkeypatch):
    asked = []
    monkeypatch.setattr(
        synthetic_speech, "speak", lambda words, *rest: asked.extend(words) or [np.ones(9)] * len(words)
    )
    monkeypatch.setattr(rejection, "_fragments", lambda *rest: [])
    config = DataConfig(unknown="synthetic", unknown_fraction=1.0)
    names = ("Water", "yes")
    for seed in range(10):
        rejection.add_examples(corpus(class_names=names), dataclasses.replace(config, split_seed=seed))
    assert len(asked) > 100
    assert not {word.casefold() for word in asked} & {"water"}
