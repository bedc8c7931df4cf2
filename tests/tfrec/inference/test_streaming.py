"""What is heard in pieces is what is heard at once."""

import dataclasses
import io
import json
import sys

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from tests.tfrec import untrained
from tests.tfrec.architectures.test_sequence_outputs import CAUSAL
from tfrec.commands import predict
from tfrec.inference import streaming

RUNNING = ["--frontend.normalize", "running"]
NONE = ["--frontend.normalize", "none", "--frontend.mels", "20"]
CASES = [
    pytest.param("lstm_ctc", [*RUNNING, "--frontend.pre_emphasis", "0.97"], id="lstm_ctc"),
    pytest.param("gru_ctc", [*NONE, "--frontend.features", "mfcc"], id="gru_ctc", marks=pytest.mark.slow),
    pytest.param("wavenet_ctc", [*RUNNING, "--model.causal"], id="wavenet_ctc"),
    pytest.param(
        "lstm_ctc",
        [*NONE, "--frontend.features", "pcen", "--model.subsampling", "1"],
        id="pcen",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "wavenet_ctc",
        [
            "--frontend.normalize",
            "none",
            "--frontend.form",
            "waveform",
            "--model.causal",
            "--frontend.pre_emphasis",
            "0.9",
        ],
        id="waveform",
        marks=pytest.mark.slow,
    ),
]


def test_every_causal_network_is_here():
    assert set(CAUSAL) <= {case.values[0] for case in CASES}


@pytest.mark.parametrize(("name", "words"), CASES)
def test_pieces_answer_as_the_whole(name, words):
    built = untrained.recognizer(name, *words)
    stream = streaming.Stream(built)
    for seconds, pieces in ((1.617, (97, 2000, 10**6)), (0.05, (100,)), (0.02, (90,)), (1 / 8000, (1,))):
        samples = untrained.sound(seconds)
        logits, text = untrained.offline(built, samples)
        assert seconds < 1 or len(text.replace(" ", "")) > 3  # it does say something
        for piece in pieces:
            stream.start()
            parts, texts = [], []
            for start in range(0, len(samples), piece):
                parts.append(stream.feed(samples[start : start + piece]))
                texts.append(stream.text)
            parts.append(stream.end())
            np.testing.assert_allclose(np.concatenate(parts), logits, atol=1e-5 * np.abs(logits).max())
            assert stream.text == text
            assert all(text.startswith(early) for early in texts)
            if len(texts) > 5:
                assert texts[len(texts) // 2], "it waits for the end"


@pytest.mark.parametrize(("name", "words"), [case.values for case in CASES[:1]])
def test_what_is_kept_does_not_grow(name, words):
    stream = streaming.Stream(untrained.recognizer(name, *words))
    kept = []
    for seconds in (2, 8):
        stream.start()
        stream.feed(untrained.sound(seconds))
        kept.append((len(stream._features._buffer), len(stream._network._buffer)))
    assert kept[0] == pytest.approx(kept[1], abs=100)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("bilstm_ctc", RUNNING, r"bilstm_ctc as configured is not: train one such as .*lstm_ctc"),
        ("lstm_ctc", [*RUNNING, "--model.bidirectional"], "lstm_ctc as configured is not"),
        ("wavenet_ctc", RUNNING, "nothing of the future"),
        ("deepspeech2", [*RUNNING, "--model.lookahead", "1"], "nothing of the future"),
        ("bilstm_ctc", [], "frontend.normalize clip look further"),
    ],
)
def test_what_sees_the_future_is_refused(name, words, said):
    with pytest.raises(UserError, match=said):
        streaming.Stream(untrained.recognizer(name, *words))


@pytest.mark.parametrize(
    "changes", [{"deltas": True}, {"range_db": 50.0}, {"normalize": "mean"}, {"normalize": "partial"}]
)
def test_features_that_see_the_future_are_refused(changes):
    config = untrained.recognizer("lstm_ctc", *CASES[0].values[1]).config.frontend
    streaming.require_causal(config)
    with pytest.raises(UserError, match=f"{next(iter(changes))}.* look further"):
        streaming.require_causal(dataclasses.replace(config, **changes))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run of a causal network and two recordings, and what is said in each."""
    folder = tmp_path_factory.mktemp("streams")
    name, words = CASES[0].values
    built = untrained.recognizer(name, *words)
    untrained.run(folder / "run", built)
    texts = {}
    for name, seconds in (("a.wav", 1.6), ("b.wav", 0.9)):
        samples = untrained.sound(seconds, seed=len(texts))
        soundfile.write(folder / name, samples, untrained.RATE_HZ, subtype="PCM_16")
        texts[str(folder / name)] = untrained.offline(built, samples)[1]
    return folder, texts


def test_words_are_printed_as_they_are_heard(home, capsys):
    folder, texts = home
    assert predict.main([str(folder / "run"), *texts, str(folder / "nowhere.wav"), "--stream"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == list(texts.values())
    assert "nowhere.wav" in err


def test_standard_input(home, capsys, monkeypatch):
    folder, texts = home
    samples, _ = soundfile.read(folder / "a.wav", dtype="int16")
    contents = samples.astype("<i2").tobytes() + b"\0"  # and half a sample
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(contents)))
    assert predict.main([str(folder / "run"), "-", "--stream", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[-1] == {"file": "-", "heard_s": 1.6, "text": texts[str(folder / "a.wav")]}
    heard = [row["heard_s"] for row in rows]
    assert heard == sorted(heard)
    assert heard[0] < 1
