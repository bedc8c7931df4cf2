"""The command `check`: findings before a training starts."""

import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from pipelines.datasets.base import Corpus, Split
from tfrec.commands import check
from tfrec.reports.class_table import class_table

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
    assert "1 of 7 files has 16,000 Hz and is resampled to 8,000." in printed
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


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Many cats, some of them stored sideways and one of them twice, and few dogs."""
    folder = tmp_path_factory.mktemp("uneven")
    for name, count in (("cat", 48), ("dog", 5)):
        (folder / name).mkdir()
        for i in range(count):
            tags = Image.Exif()
            tags[0x0112] = 6 if i < 3 else 1
            Image.new("RGB", (20 + i, 30), (5 * i, count, 9)).save(folder / name / f"{i}.jpg", exif=tags)
    (folder / "cat" / "copy.jpg").write_bytes((folder / "cat" / "7.jpg").read_bytes())
    return folder


def test_pictures(uneven, capsys):
    words = ["--model.width", "2", "--fit.freeze", "backbone", "--no_rehearsal"]
    assert check.main([f"{uneven}/", *words]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for part in (
        "30 x 20 to 67 x 30",
        "1 of 54 examples is an exact copy of another",
        "6 of 54 pictures have an EXIF orientation",
        "fit.freeze backbone keeps the random initial weights",
        "choose the epoch that is kept: the choice is mostly chance",
        "classes have less than a",
        "dog (3)",
        "examples are cat: always",
    ):
        assert part in printed


def test_a_training_step_on_pictures(capsys):
    assert check.main(["digits", "--model.name", "mlp", "--model.width", "4"]) == 0
    printed = capsys.readouterr().out
    assert "train 1,293 pictures" in printed
    assert "Nothing is wrong with the pictures" in printed
    assert "A step with 32 pictures takes" in printed
    assert "an epoch of 41 steps" in printed


def test_many_classes_are_cut_to_the_rarest():
    count = 300
    labels = np.concatenate([np.full(1 + i // 10, i) for i in range(count)])
    images = tf.data.Dataset.from_tensors({"image": np.zeros((2, 3, 1), np.uint8)}).repeat(len(labels))
    corpus = Corpus(
        "many", "image", tuple(f"class {i}" for i in range(count)), {"train": Split(images, len(labels), labels=labels)}
    )
    table = class_table(corpus)
    assert len(table.rows) == 20
    assert table.caption == "280 further classes have 2 training examples or more"
