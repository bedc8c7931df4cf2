"""`tfrec listen`: the command, on runs and exports; the events themselves are tested with the Listener."""

import io
import json

import numpy as np
import pytest
import soundfile

from tfrec.commands import listen, noise_report

RATE_HZ = 8000


def tone_words(count):
    random = np.random.default_rng(0)
    parts = [np.zeros(4000)]
    for i in range(count):
        parts += [0.3 * np.sin(2 * np.pi * (300, 1500)[i % 2] * np.arange(3000) / RATE_HZ), np.zeros(5000)]
    samples = np.concatenate(parts)
    return samples + random.normal(scale=0.001, size=len(samples))


class Pipe:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_file_a_pipe_and_pieces_give_the_same_events(trained, tmp_path, capsys, monkeypatch):
    run, _ = trained("cnn")
    samples = tone_words(4)
    soundfile.write(tmp_path / "sound.wav", samples, RATE_HZ, "PCM_16")
    assert listen.main([str(run.path), str(tmp_path / "sound.wav"), "--fast", "--json"]) == 0
    *events, report = lines(capsys)
    assert events
    assert all(event["end_s"] > event["start_s"] for event in events)
    assert report["seconds"] == pytest.approx(len(samples) / RATE_HZ, abs=1e-3)
    assert report["lost_seconds"] == 0
    assert report["real_time_factor"] > 0
    raw = (np.round(samples * 32768).clip(-32768, 32767)).astype("<i2").tobytes()
    for piece_ms in ("10", "1000"):
        monkeypatch.setattr("sys.stdin", Pipe(raw))
        listen.main([str(run.path), "-", "--json", "--piece_ms", piece_ms])
        received = lines(capsys)[:-1]
        assert [{**event, "probability": 0} for event in received] == [{**event, "probability": 0} for event in events]
        for event, expected in zip(received, events, strict=True):  # a pipe rounds other samples than a file
            assert event["probability"] == pytest.approx(expected["probability"], abs=2e-3)


def test_text_for_people(trained, tmp_path, capsys):
    run, _ = trained("cnn")
    soundfile.write(tmp_path / "sound.wav", tone_words(2), RATE_HZ)
    listen.main([str(run.path), str(tmp_path / "sound.wav"), "--fast", "--threshold", "1"])
    assert "real-time factor" in capsys.readouterr().out


@pytest.mark.slow
def test_recordings_unlike_the_corpus(trained, capsys, monkeypatch):
    run, _ = trained("cnn")
    assert noise_report.main([str(run.path), "--recording", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["recording"]
    assert next(iter(result["conditions"])) == "as it is"
    assert len(result["conditions"]) == 16
    for cell in result["conditions"].values():
        assert cell["interval"][0] <= cell["accuracy"] <= cell["interval"][1]
    assert (run.path / "recording" / "recording.csv").read_text().startswith("condition,accuracy,low,high\n")
    monkeypatch.setattr(noise_report.recording, "measure", lambda *_: {**result, "seed": 1})
    assert noise_report.main([str(run.path), "--recording", "--seed", "1"]) == 0
    assert "recording-2: recording.csv, recording.json" in capsys.readouterr().out.replace("\n", "")
    assert json.loads((run.path / "recording" / "recording.json").read_text())["seed"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--piece_ms", "0"], "piece_ms"),
        (["--threshold", "2"], "threshold"),
        (["missing.wav", "--fast"], "missing.wav"),
    ],
)
def test_mistakes(trained, fails, words, message):
    run, _ = trained("cnn")
    assert message in fails(listen, run.path, *words)


def test_a_transcriber_that_needs_the_future_cannot_listen(trained, fails):
    run, _ = trained("bilstm_ctc")
    assert "only on past samples" in fails(listen, run.path, "x.wav")
