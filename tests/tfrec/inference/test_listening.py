import itertools
import types

import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec.inference import listening
from tfrec.inference.listening import Listener

RATE_HZ = 8000


class LoudnessModel:
    """Answers "low" or "high" by the pitch of a tone near the middle of the window, and "silence" elsewhere."""

    description = types.MappingProxyType(
        {"modality": "audio", "sample_rate_hz": RATE_HZ, "labels": ["low", "high", "silence"], "threshold": 0.6}
    )

    def __init__(self):
        self.calls = []

    def answer_function(self):
        return self.answers

    def answers(self, inputs):
        windows = inputs["audio"]
        self.calls.append(len(windows))
        assert (inputs["length"] == windows.shape[1]).all()
        middle = windows[:, windows.shape[1] // 3 : 2 * windows.shape[1] // 3]
        spectra = np.abs(np.fft.rfft(middle, axis=1)) / middle.shape[1]
        low, high = spectra[:, :100].max(axis=1), spectra[:, 100:].max(axis=1)
        odds = np.stack([50 * low, 50 * high, np.full(len(low), 0.5)], axis=1)
        return {"probabilities": odds / odds.sum(axis=1, keepdims=True)}


def sound(*words, gap_s=0.4, word_s=0.35, noise=1e-4):
    """Tones with pauses between them, and where they begin."""
    generator = np.random.default_rng(0)
    parts, starts = [np.zeros(round(gap_s * RATE_HZ))], []
    seconds = np.arange(round(word_s * RATE_HZ)) / RATE_HZ
    for word in words:
        starts.append(sum(map(len, parts)) / RATE_HZ)
        parts += [np.sin(2 * np.pi * {"low": 200, "high": 2000}[word] * seconds) * 0.3, np.zeros(len(parts[0]))]
    samples = np.concatenate(parts)
    return (samples + noise * generator.standard_normal(len(samples))).astype("float32"), starts


def events_in(listener, pieces):
    """Each event of a whole sound, with the seconds of sound that had arrived."""
    listener.start()
    for piece in pieces:
        yield from ((event, listener.seconds) for event in listener.feed(piece))
    yield from ((event, listener.seconds) for event in listener.end())


def pieces_of(samples, sizes):
    """Samples in pieces of the given sizes, over and over."""
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(samples):
            return
        yield samples[start : start + size]
        start += size


def events_of(samples, sizes):
    return [event for event, _ in events_in(Listener(LoudnessModel()), pieces_of(samples, sizes))]


def test_each_word_is_one_event_at_its_place():
    samples, starts = sound("low", "low", "high", "low")
    events = events_of(samples, [800])
    assert [event.word for event in events] == ["low", "low", "high", "low"]
    for event, start in zip(events, starts, strict=True):
        assert abs(event.start_s - start) < 0.03
        assert abs(event.end_s - start - 0.35) < 0.03
        assert event.probability > 0.6


@pytest.mark.parametrize("sizes", [[80], [8000], [1, 4000, 17], [100_000]])
def test_pieces_do_not_matter(sizes):
    samples, _ = sound("low", "high", "high")
    expected = events_of(samples, [800])
    assert len(expected) == 3
    events = events_of(samples, sizes)
    assert [event.to_dict() for event in events] == [event.to_dict() for event in expected]


def test_words_at_both_ends_are_found():
    samples, _ = sound("low", "high", gap_s=0.5)
    samples = samples[4000:-4000]
    assert [event.word for event in events_of(samples, [800])] == ["low", "high"]


@pytest.mark.parametrize("level", [0, 1e-3, 0.1])
def test_nothing_in_noise(level):
    noise = (level * np.random.default_rng(0).standard_normal(80_000)).astype("float32")
    assert events_of(noise, [800]) == []


def test_events_come_soon_after_the_word():
    samples, starts = sound("low", "high", gap_s=2)
    arrived = [seconds for _, seconds in events_in(Listener(LoudnessModel()), pieces_of(samples, [80]))]
    for start, seconds in zip(starts, arrived, strict=True):
        assert start + 0.35 < seconds < start + 0.35 + 1.1


def test_the_threshold_can_be_set():
    samples, _ = sound("low")
    assert [e.word for e in events_of(samples, [800])] == ["low"]
    listener = Listener(LoudnessModel(), threshold=1.0)
    assert list(events_in(listener, [samples])) == []


def test_windows_are_recognized_in_batches():
    model = LoudnessModel()
    list(events_in(Listener(model), [np.zeros(80_000, "float32")]))
    assert max(model.calls) <= listening.BATCH_WINDOWS
    assert len(model.calls) < 12


def test_only_classifiers_of_clips():
    model = types.SimpleNamespace(description={"modality": "image", "labels": ["a", "b"]})
    with pytest.raises(UserError, match="classifies clips"):
        Listener(model)
