"""Recordings in chunks: the plan of the chunks, and outputs equal to those of the whole recording."""

import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec.inference.chunking import ChunkedOutputs, plan, segments, timing
from tfrec.inference.transcriber import Transcriber

LOCAL = ["--frontend.normalize", "none"]  # normalization by the clip would depend on the cuts


@pytest.fixture(scope="module")
def local_network():
    """A recognizer whose receptive field is at most 0.4 s on either side."""
    return untrained.recognizer("wavenet_ctc", *LOCAL, "--model.subsampling", "2")


@pytest.mark.parametrize(("middle", "overlap"), [(1, 0), (1, 3), (7, 2), (10, 10)])
def test_every_step_is_kept_once(middle, overlap):
    for steps in (*range(1, 40), 1000):
        kept = []
        for first, start, stop, last in plan(steps, middle, overlap):
            assert 0 <= first <= start < stop <= last <= steps
            assert last - first <= middle + 2 * overlap
            assert start - first == overlap or first == 0
            assert last - stop == overlap or last == steps
            kept += range(start, stop)
        assert kept == list(range(steps))


@pytest.mark.parametrize(
    ("name", "words", "seconds"),
    [
        ("lstm_ctc", [], 0.04),
        ("gru_ctc", ["--frontend.hop_ms", "12.5"], 0.025),
        ("wavenet_ctc", ["--frontend.form", "waveform"], 0.02),
    ],
)
def test_timing_equals_that_of_the_network(name, words, seconds):
    built = untrained.recognizer(name, *LOCAL, *words)
    times = timing(built)
    assert times.seconds_per_step == pytest.approx(seconds)
    for steps in (1, 5):
        exact = times.covered(steps)
        assert times.count_frames(exact) == steps * times.frames
        assert times.count_frames(exact - 1) == steps * times.frames - 1
        assert times.count_steps(exact) == steps
    for samples in (0, 1, 199, 200, 201, 279, 280, 281, 519, 520, 1000, 2345):
        inputs = built.batch_of_one(np.zeros(samples, "float32"))
        features = built.features(inputs)
        if samples or built.frontend.feature_kind == "sequence":
            assert int(features["frames"][0]) == times.count_frames(samples)
            assert int(built(inputs)["steps"][0]) == times.count_steps(samples)


def test_chunks_give_the_outputs_of_the_whole_recording(local_network):
    samples = np.concatenate([untrained.sound(seconds, seed) for seed, seconds in enumerate((1.3, 0.7, 2.1, 1.9))])
    logits, text = untrained.offline(local_network, samples)
    assert len(text) > 20
    for chunk, overlap in ((1.5, 0.4), (100.0, 0.0)):
        joined = ChunkedOutputs.from_recognizer(local_network, chunk, overlap).outputs([samples])["logits"]
        np.testing.assert_allclose(joined, logits, atol=1e-4)
        transcript = Transcriber.from_recognizer(local_network, chunk_seconds=chunk, overlap_seconds=overlap)(samples)
        assert transcript.text == text
        assert " ".join(word.word for word in transcript.words).split() == text.split()
        starts = [word.start_s for word in transcript.words]
        assert starts == sorted(starts)
        assert 0 <= starts[0] < transcript.words[-1][2] <= len(samples) / untrained.RATE_HZ
    without = ChunkedOutputs.from_recognizer(local_network, 2.0, 0.0).outputs([samples])["logits"]
    assert without.shape == logits.shape
    assert np.abs(without - logits).max() > 1e-2  # the overlap is needed


@pytest.mark.parametrize("seconds", [0.0, 1.4, 1.5, 1.6, 3.3, 6.1])
def test_blocks_give_the_chunks_of_the_whole_recording(local_network, seconds):
    chunks = ChunkedOutputs.from_recognizer(local_network, 1.5, 0.4)
    samples = untrained.sound(seconds)
    whole = chunks.outputs([samples])["logits"]
    for size in (700, 4000, 30_000):
        blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
        np.testing.assert_array_equal(chunks.outputs(blocks)["logits"], whole)


def test_no_chunk_is_longer_than_configured(local_network):
    chunks = ChunkedOutputs.from_recognizer(local_network, 1.0, 0.25)
    lengths, forward = [], chunks._forward
    chunks._forward = lambda samples: lengths.append(len(samples)) or forward(samples)
    chunks.outputs([untrained.sound(3.3)])
    assert len(lengths) > 5
    assert max(lengths) <= 1.05 * untrained.RATE_HZ


@pytest.mark.parametrize(("chunk", "overlap"), [(4, 2), (0, 0), (-1, 0), (float("nan"), 1), (20, -1)])
def test_impossible_chunks_are_refused(local_network, chunk, overlap):
    with pytest.raises(UserError, match="overlap_seconds"):
        ChunkedOutputs.from_recognizer(local_network, chunk, overlap)


def test_stretched_time_is_refused():
    with pytest.raises(UserError, match=r"frontend\.fixed_frames"):
        timing(untrained.recognizer("lstm_ctc", "--frontend.fixed_frames", "50"))


def test_segments_end_between_words():
    pieces = ["", "a", "b", " "]
    random = np.random.default_rng(0)
    path = random.choice(4, size=300, p=[0.4, 0.25, 0.25, 0.1])
    parts = segments(np.eye(4)[path], pieces, 40)
    assert len(parts) >= 300 // 40
    assert [first for first, _, _ in parts] == [0, *(last for _, last, _ in parts[:-1])]
    assert parts[-1][1] == 300
    assert sum(path[first] == 3 for first, _, _ in parts) > len(parts) // 2
    for first, last, _ in parts:
        assert 0 < last - first <= 40
    texts = ["".join(pieces[i] for i in path[first:last]).split() for first, last, _ in parts]
    joined = "".join(space + " ".join(text) for (_, _, space), text in zip(parts, texts, strict=True))
    assert joined.split() == "".join(pieces[i] for i in path).split()


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ([1, 1, 1, 0, 1, 1], [(0, 3, ""), (3, 6, "")]),  # no word begins: cut at a blank
        ([1, 1, 3, 0, 1, 1], [(0, 3, ""), (3, 6, " ")]),  # cut at a blank after which a word begins
        ([1] * 5, [(0, 4, ""), (4, 5, "")]),
        ([0] * 5, [(0, 4, ""), (4, 5, "")]),
        ([2, 1, 3], [(0, 3, "")]),
    ],
)
def test_segments_without_the_beginning_of_a_word(path, parts):
    assert segments(np.eye(4)[path], ["", "a", "b", " "], 4) == parts
