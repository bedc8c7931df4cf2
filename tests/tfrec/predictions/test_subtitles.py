"""Cues of subtitles, read back by a library of its own."""

import itertools

import numpy as np
import pysubs2
import pytest

from tfrec.decoding.words import Word
from tfrec.predictions import subtitles


def speech(count, seed=0, longest=9, pause=0.1):
    """Words of random lengths and times."""
    random, words, time = np.random.default_rng(seed), [], 0.3
    for i in range(count):
        duration = random.uniform(0.1, 0.6)
        words.append(Word("x" * random.integers(1, longest) + str(i), round(time, 3), round(time + duration, 3), 0.9))
        time += duration + random.exponential(pause)
    return words


def check(cues, words):
    assert " ".join(line for cue in cues for line in cue.lines).split() == [word.word for word in words]
    for cue in cues:
        assert 1 <= len(cue.lines) <= 2
        assert max(map(len, cue.lines)) <= 42
        assert 0 <= cue.start_s < cue.end_s <= cue.start_s + 7.0 + 1e-9
    assert all(one.end_s <= other.start_s + 1e-9 for one, other in itertools.pairwise(cues))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pause", [0.02, 0.3, 2.0])
def test_cues_have_bounded_lines_and_times(seed, pause):
    words = speech(80, seed, pause=pause)
    cues = subtitles.cues(words)
    check(cues, words)
    ends = {word.end_s for word, other in itertools.pairwise(words) if other.start_s - word.end_s > subtitles.PAUSE_S}
    starts = {cue.start_s for cue in cues}
    assert all(other.start_s in starts for word, other in itertools.pairwise(words) if word.end_s in ends)


def test_cues_of_odd_words():
    assert subtitles.cues([]) == []
    unknown = [Word("a", None, None, None), Word("b", 1.0, 1.2, 0.5), Word("c", None, None, None)]
    check(subtitles.cues(unknown), unknown)
    together = [Word(str(i), 0.0, 0.0, 0.5) for i in range(100)]
    assert all(cue.start_s < cue.end_s for cue in subtitles.cues(together))
    cues = subtitles.cues([Word("字" * 200, 1.0, 21.0, 0.5)])  # a script without spaces
    assert "".join(line for cue in cues for line in cue.lines) == "字" * 200
    assert all(len(line) <= 42 for cue in cues for line in cue.lines)
    (cue,) = subtitles.cues([Word("long", 3.0, 30.0, 0.5)])
    assert (cue.start_s, cue.end_s) == (3.0, 10.0)


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_another_library_reads_the_files(form):
    words = [*speech(40), Word("a<b>&c", 3700.0, 3700.4, 0.9)]
    cues = subtitles.cues(words, "channel 1", "channel 1: " if form == "srt" else "")
    text = "".join(getattr(subtitles, form)(cues))
    read = pysubs2.SSAFile.from_string(text, format_=form)
    assert len(read) == len(cues)
    for event, cue in zip(read, cues, strict=True):
        assert event.start == pytest.approx(1000 * cue.start_s, abs=1)
        assert event.end == pytest.approx(1000 * cue.end_s, abs=1)
    if form == "srt":
        assert text.startswith("1\n00:00:00,300 --> ")
        assert read[0].plaintext == "\n".join(cues[0].lines)
        assert "\nchannel 1: a<b>&c\n" in text
        assert all(len(line) <= 42 for cue in cues for line in cue.lines)
    else:
        assert text.startswith("WEBVTT\n\n00:00:00.300 --> ")
        assert "01:01:40.000 --> 01:01:41.000\n<v channel 1>a&lt;b&gt;&amp;c\n" in text
