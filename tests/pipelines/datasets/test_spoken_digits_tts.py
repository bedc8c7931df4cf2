"""Digits spoken by espeak-ng."""

import sys

import numpy as np
import pytest

from pipelines.datasets import espeak, spoken_digits_tts
from pipelines.errors import UserError


def speaker(source):
    return source.split("+")[1].split("_")[0]


@pytest.fixture(scope="module")
def corpus():
    pytest.importorskip("espeakng_loader")
    return spoken_digits_tts.load(spoken_digits_tts.Config())


def waveforms(split):
    return [example["audio"] for example in split.examples.as_numpy_iterator()]


def test_corpus(corpus):
    assert (corpus.modality, corpus.sample_rate_hz, len(corpus.class_names)) == ("audio", 16000, 10)
    assert sum(split.size for split in corpus.splits.values()) == 1200
    for split in corpus.splits.values():
        examples = list(split.examples.as_numpy_iterator())
        assert len(examples) == split.size == len(split.sources)
        for example, label, source in zip(examples, split.labels, split.sources, strict=True):
            assert example["label"] == label
            assert source.startswith(corpus.class_names[label])
            assert example["audio"].dtype == np.float32
            assert 0.2 < np.abs(example["audio"]).max() <= 1
            assert 0.1 < len(example["audio"]) / 16000 < 1.5
        assert set(np.bincount(split.labels)) == {split.size // 10}


def test_no_speaker_is_in_two_splits(corpus):
    speakers = [{speaker(source) for source in split.sources} for split in corpus.splits.values()]
    assert all(speakers)
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == len(spoken_digits_tts.SPEAKERS)


def test_the_same_config_gives_the_same_samples(corpus):
    second = spoken_digits_tts.load(spoken_digits_tts.Config())
    for name, split in corpus.splits.items():
        assert split.sources == second.splits[name].sources
        for expected, clip in zip(waveforms(split), waveforms(second.splits[name]), strict=True):
            np.testing.assert_array_equal(clip, expected)


@pytest.fixture
def small(monkeypatch):
    pytest.importorskip("espeakng_loader")
    monkeypatch.setattr(spoken_digits_tts, "SPEAKERS", ("m1", "m2", "m3", "f1", "f2"))
    monkeypatch.setattr(spoken_digits_tts, "ACCENTS", ("en",))


@pytest.mark.usefixtures("small")
def test_another_seed_speaks_differently():
    first, other = (spoken_digits_tts.load(spoken_digits_tts.Config(speech_seed=seed)) for seed in (0, 1))
    lengths = [[len(clip) for clip in waveforms(some.splits["test"])] for some in (first, other)]
    assert lengths[0] != lengths[1]


@pytest.mark.usefixtures("small")
def test_rate_and_renderings():
    once, slow = (spoken_digits_tts.load(spoken_digits_tts.Config(renderings=2), hz) for hz in (None, 8000))
    assert (once.sample_rate_hz, slow.sample_rate_hz) == (16000, 8000)
    assert sum(split.size for split in slow.splits.values()) == 100
    mean = [np.mean([len(clip) for clip in waveforms(some.splits["train"])]) for some in (once, slow)]
    assert mean[0] / mean[1] == pytest.approx(2, rel=0.1)


def test_voices_differ():
    pytest.importorskip("espeakng_loader")
    with espeak.engine() as (speak, _):
        spoken = [speak("seven", f"gmw/en+{name}", 150, 50).tobytes() for name in spoken_digits_tts.SPEAKERS]
        spoken += [speak("seven", f"gmw/{name}+m1", 150, 50).tobytes() for name in spoken_digits_tts.ACCENTS[1:]]
        with pytest.raises(UserError, match="cannot speak with its voice 'unknown'"):
            speak("seven", "unknown", 150, 50)
    assert len(set(spoken)) == len(spoken)


def test_without_the_engine(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"pip install 'tfrec\[tts\]'"):
        spoken_digits_tts.load(spoken_digits_tts.Config())


def test_renderings_are_bounded():
    with pytest.raises(ValueError, match="Received: 0"):
        spoken_digits_tts.Config(renderings=0)
