"""A stream gives the outputs and the text of the whole recording."""

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


def test_every_causal_network_has_a_case():
    assert set(CAUSAL) <= {case.values[0] for case in CASES}


@pytest.mark.parametrize(("name", "words"), CASES)
def test_pieces_give_the_outputs_of_the_whole_recording(name, words):
    built = untrained.recognizer(name, *words)
    stream = streaming.Stream(built)
    for seconds, pieces in ((1.617, (97, 2000, 10**6)), (0.05, (100,)), (0.02, (90,)), (1 / 8000, (1,))):
        samples = untrained.sound(seconds)
        logits, text = untrained.offline(built, samples)
        assert seconds < 1 or len(text.replace(" ", "")) > 3  # the text is not empty
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
                assert texts[len(texts) // 2], "no text before the end"


@pytest.mark.parametrize(("name", "words"), [case.values for case in CASES[:1]])
def test_the_buffers_do_not_grow(name, words):
    stream = streaming.Stream(untrained.recognizer(name, *words))
    sizes = []
    for seconds in (2, 8):
        stream.start()
        stream.feed(untrained.sound(seconds))
        sizes.append((len(stream._features._buffer), len(stream._network._buffer)))
    assert sizes[0] == pytest.approx(sizes[1], abs=100)


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("bilstm_ctc", RUNNING, r"bilstm_ctc as configured is not: train one such as .*lstm_ctc"),
        ("lstm_ctc", [*RUNNING, "--model.bidirectional"], "lstm_ctc as configured is not"),
        ("wavenet_ctc", RUNNING, "needs a causal network"),
        ("deepspeech2", [*RUNNING, "--model.lookahead", "1"], "needs a causal network"),
        ("bilstm_ctc", [], "frontend.normalize clip do not"),
    ],
)
def test_networks_that_are_not_causal_are_refused(name, words, message):
    with pytest.raises(UserError, match=message):
        streaming.Stream(untrained.recognizer(name, *words))


@pytest.mark.parametrize(
    "changes", [{"deltas": True}, {"range_db": 50.0}, {"normalize": "mean"}, {"normalize": "partial"}]
)
def test_features_that_are_not_causal_are_refused(changes):
    config = untrained.recognizer("lstm_ctc", *CASES[0].values[1]).config.frontend
    streaming.require_causal(config)
    with pytest.raises(UserError, match=f"{next(iter(changes))}.* do not"):
        streaming.require_causal(dataclasses.replace(config, **changes))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run of a causal network and two recordings, and the text of each."""
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


def test_words_are_printed_as_they_are_recognized(home, capsys):
    folder, texts = home
    assert predict.main([str(folder / "run"), *texts, str(folder / "nowhere.wav"), "--stream"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == list(texts.values())
    assert "nowhere.wav" in err


def test_standard_input(home, capsys, monkeypatch):
    folder, texts = home
    samples, _ = soundfile.read(folder / "a.wav", dtype="int16")
    contents = samples.astype("<i2").tobytes() + b"\0"  # the last byte is half a sample
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(contents)))
    assert predict.main([str(folder / "run"), "-", "--stream", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert predict.main([str(folder / "run"), str(folder / "a.wav"), "--json"]) == 0
    (whole,) = json.loads(capsys.readouterr().out)
    assert rows[-1] == {
        **whole,
        "file": "-",
        "seconds": 1.6,
        "is_final": True,
        "confidence": rows[-1]["confidence"],
        "words": rows[-1]["words"],
    }
    assert rows[-1]["text"] == texts[str(folder / "a.wav")]
    assert rows[-1]["confidence"] == pytest.approx(whole["confidence"], abs=1e-4)
    assert [word["word"] for word in rows[-1]["words"]] == whole["text"].split()
    for word, expected in zip(rows[-1]["words"], whole["words"], strict=True):
        assert word == expected | {"confidence": pytest.approx(expected["confidence"], abs=1e-4)}
    early = [word for row in rows[:-1] for word in row["words"]]
    assert early
    assert early == rows[-1]["words"][: len(early)]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert seconds[0] < 1
