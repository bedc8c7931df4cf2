"""The command `check`: findings before a training on speech starts."""

import json

import numpy as np
import pytest
import soundfile

from tfrec.commands import check

NET = ("--task.name", "transcribe", "--model.name", "lstm_ctc", "--model.units", "8", "--model.depth", "1")


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """A manifest in which every clip but the first two has a flaw."""
    folder, random = tmp_path_factory.mktemp("flawed"), np.random.default_rng(0)
    noise = random.normal(scale=0.1, size=8000)
    clips = {  # samples, rate, text, split, speaker
        "fine": (noise, 8000, "ab", "train", "s1"),
        "also": (noise, 8000, "ba", "validation", "s2"),
        "silent": (0 * noise, 8000, "a b", "train", "s3"),
        "clipped": (np.clip(100 * noise, -1, 1), 8000, "b a", "train", "s3"),
        "short": (noise[:800], 8000, "abababab", "train", "s1"),
        "other": (np.repeat(noise, 2), 16000, "b", "train", "s4"),
        "again": (noise, 8000, "ax", "test", "s1"),
    }
    lines = []
    for name, (samples, rate, text, split, speaker) in clips.items():
        soundfile.write(folder / f"{name}.wav", samples, rate)
        lines.append({"path": f"{name}.wav", "text": text, "split": split, "speaker": speaker})
    (folder / "flawed.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder / "flawed.jsonl"


def test_every_flaw_is_reported(flawed, capsys):
    words = ["--data.name", "manifest", "--data.path", str(flawed), *NET, "--no_rehearsal"]
    assert check.main(words) == 1
    printed = capsys.readouterr().out
    assert "1 of 7 files have 16,000 Hz and are resampled to 8,000." in printed
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for start in (
        "!train 1 of 5 clips are silent",
        "!train 1 of 5 texts need more than the lstm_ctc's",
        "train 1 of 5 clips are clipped",
        "test 1 of 2 characters are not in the vocabulary:",
        "test 1 of 1 clips are of speakers",
    ):
        assert sum(line.startswith(start) for line in lines) == 1
    assert "flawed.jsonl:3" in next(line for line in lines if "silent" in line)


def test_a_step_with_a_batch_of_each_shape(melodies, capsys):
    words = ["--data.name", "manifest", "--data.path", str(melodies), *NET, "--fit.batch_seconds", "6"]
    assert check.main(words) == 0
    printed = capsys.readouterr().out
    assert "Nothing is wrong" in printed
    assert "of them is padding" in printed
    assert "An epoch of" in printed


def test_pictures_are_refused(fails):
    message = fails(check, "digits")
    assert "holds pictures" in message
