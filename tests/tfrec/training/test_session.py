"""Whole trainings: dry runs, small batches, half precision, speakers that a run does not know."""

import dataclasses
import json
import os
import signal

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image

import tfrec
from pipelines import frontends
from pipelines.datasets import folder
from pipelines.errors import UserError
from tfrec.commands import evaluate, fit
from tfrec.runs.run import Run
from tfrec.training import loop, session
from tfrec.training.step import Training
from tfrec.utils.interrupts import Interrupted

PICTURES = {"model.name": "resnet18", "model.width_multiplier": 0.125, "model.depth_multiplier": 0.5}
PICTURES |= {"frontend.height": 8, "frontend.width": 8, "fit.epochs": 1}


@pytest.fixture
def manifest(tmp_path):
    """A function from a number of training pictures to a manifest of two classes."""

    def make(count):
        random, lines = np.random.default_rng(0), ["path,label,split"]
        for i in range(count + 8):
            pixels = random.integers(0, 60, (8, 8, 3)) + 150 * (i % 2)
            Image.fromarray(pixels.astype("uint8")).save(tmp_path / f"{i}.png")
            split = "train" if i < count else "validation" if i < count + 4 else "test"
            lines.append(f"{i}.png,{'ab'[i % 2]},{split}")
        (tmp_path / "m.csv").write_text("\n".join(lines))
        return str(tmp_path / "m.csv")

    return make


def test_dry_run_leaves_nothing(manifest, tmp_path, monkeypatch, capsys, caplog):
    path = manifest(20)
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    caplog.set_level("INFO")
    words = ["--data.name", "manifest", "--data.path", path, "--fit.batch_size", "8", "--fit.epochs", "5"]
    assert fit.main([*words, "--dry-run"]) == 0
    assert sorted(os.listdir(tmp_path)) == before
    assert "20 train, 4 validation, 4 test examples; cnn with " in caplog.text
    assert "3 steps in each of 5 epochs" in caplog.text
    assert "leave out --dry-run" in capsys.readouterr().out
    (tmp_path / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"3\.png"):
        fit.main([*words, "--dry-run"])
    with pytest.raises(UserError, match="monitor"):
        fit.main(["--fit.monitor", "wer", "--dry-run"])


def test_file_that_becomes_unreadable(manifest, tmp_path, monkeypatch):
    settings = {**PICTURES, "data.name": "manifest", "data.path": manifest(16), "data.verify": False}
    (tmp_path / "3.png").write_text("text")
    with pytest.raises(UserError, match=r"3\.png is not a"):
        tfrec.train(config=settings, run=tmp_path / "r", verbose=0)
    assert not (tmp_path / "r").exists()

    def train(recognizer, corpus, run, *others):
        (tmp_path / "5.png").write_text("text")
        return loop_train(recognizer, corpus, run, *others)

    Image.new("RGB", (8, 8)).save(tmp_path / "3.png")
    loop_train = loop.train
    monkeypatch.setattr(loop, "train", train)
    with pytest.raises(UserError, match=r"5\.png is not a .* It has changed since the data was loaded\."):
        tfrec.train(config=settings, run=tmp_path / "r", verbose=0)


@pytest.mark.parametrize(
    ("count", "batch_size", "precision"),
    [
        (9, 8, "float32"),
        pytest.param(8, 1, "float32", marks=pytest.mark.slow),
        pytest.param(9, 8, "mixed_float16", marks=pytest.mark.slow),
        (8, 1, "mixed_float16"),
    ],
)
def test_a_last_batch_of_one_example(manifest, tmp_path, count, batch_size, precision):
    settings = {**PICTURES, "data.name": "manifest", "data.path": manifest(count), "fit.batch_size": batch_size}
    run = tfrec.train(config={**settings, "fit.precision": precision}, run=tmp_path / "r", verbose=0).run
    assert all(np.isfinite([row["loss"], row["val_loss"]]).all() for row in run.read_history())
    scores = run.read_json("metrics.json")["test"]
    assert np.isfinite(scores["loss"])


def test_half_precision_scales_the_loss(manifest, tmp_path, monkeypatch):
    optimizers, compile_training = [], Training.compile

    def record(self, optimizer, **options):
        optimizers.append(optimizer)
        compile_training(self, optimizer=optimizer, **options)

    monkeypatch.setattr(Training, "compile", record)
    settings = {**PICTURES, "data.name": "manifest", "data.path": manifest(8), "fit.precision": "mixed_float16"}
    tfrec.train(config=settings, run=tmp_path / "r", verbose=0)
    assert optimizers
    assert all(isinstance(optimizer, keras.optimizers.LossScaleOptimizer) for optimizer in optimizers)


@pytest.mark.slow
def test_a_new_speaker_of_spoken_digit(tmp_path, data_dir, capsys):
    settings = {"data.data_dir": str(data_dir / "tfds"), "model.name": "mlp", "fit.epochs": 1}
    run = tfrec.train(config={"data.name": "spoken_digit", **settings}, run=tmp_path / "r", verbose=0).run
    random = np.random.default_rng(0)
    for digit in range(10):
        (tmp_path / "NEW" / str(digit)).mkdir(parents=True)
        for i in range(2):
            name = tmp_path / "NEW" / str(digit) / f"{digit}_newname_{i}.wav"
            soundfile.write(name, 0.1 * random.normal(size=20_000), 44_100)
    stored = run.read_json("metrics.json")
    capsys.readouterr()
    evaluate.main([str(run.path), "--data.path", str(tmp_path / "NEW"), "--json"])
    scores = json.loads(capsys.readouterr().out)["data_NEW"]
    assert scores["examples"] == 20
    assert [row["examples"] for row in scores["classes"]] == [2] * 10
    assert run.read_json("metrics.json")["test"] == stored["test"]


def test_places_of_data_hold_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = folder.Config(path="clips", unknown="words", only_classes=("a", "b"))
    absolute = session.absolute_paths(config)
    assert (absolute.path, absolute.unknown) == (str(tmp_path / "clips"), str(tmp_path / "words"))
    assert session.absolute_paths(dataclasses.replace(config, unknown="others")).unknown == "others"
    speech = session.absolute_paths(frontends.SpeechConfig(noise_path="noises", reverb_path="~/rooms"))
    assert speech.noise_path == str(tmp_path / "noises")
    assert os.path.isabs(speech.reverb_path)


@pytest.mark.slow
def test_a_training_that_is_killed_while_it_is_measured_is_not_finished(manifest, tmp_path, monkeypatch):
    settings = {**PICTURES, "data.name": "manifest", "data.path": manifest(8)}

    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(session.examples, "write", interrupt)
        with pytest.raises(Interrupted, match=r"Ended by SIGTERM: the training is kept and continues after epoch 1"):
            tfrec.train(config=settings, run=tmp_path / "r", verbose=0)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert not Run(tmp_path / "r").is_finished()
    run = tfrec.train(config=settings, run=tmp_path / "r", resume=True, verbose=0).run
    assert run.is_finished()
    assert (run.path / "model.keras").is_file()
    assert len(run.read_json("environment.json")) == 2
    with pytest.raises(UserError, match="is finished: raise"):
        tfrec.train(config=settings, run=tmp_path / "r", resume=True, verbose=0)
