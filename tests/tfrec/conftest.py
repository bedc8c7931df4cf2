"""Small trained runs that several tests share."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets, frontends
from tests.pipelines import moving_data
from tests.tfrec.user_errors import check, files
from tfrec import tasks
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.reports import scores
from tfrec.runs import environment, splits
from tfrec.runs.run import Run
from tfrec.serving import examples, publish, savedmodel
from tfrec.serving.certificate import certify
from tfrec.serving.loaders import c_api
from tfrec.training import loop
from tfrec.utils import console


def train(config, path):
    """A run as `tfrec fit` leaves it, trained in this process, and its recognizer.

    `recognizer.loss_traces` has the number of finished epochs at each time that the loss was traced.
    """
    corpus = datasets.load(config.data)
    config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, corpus))
    run = Run(path)
    run.create()
    run.write_json("config.json", config.to_dict())
    labels = tasks.labels(config.task, corpus)
    run.write_json("labels.json", labels)
    splits.write(run, corpus)
    environment.record(run)
    recognizer = Recognizer(config, labels)
    recognizer.task.prepare(corpus.splits["train"])
    recognizer.loss_traces, loss = [], recognizer.task.loss

    def traced_loss(outputs, targets, weights=None):
        history = run.path / "history.csv"
        lines = history.read_text(encoding="utf-8").splitlines() if history.is_file() else ["header"]
        recognizer.loss_traces.append(len(lines) - 1)
        return loss(outputs, targets, weights)

    recognizer.task.loss = traced_loss
    history = loop.train(recognizer, corpus, run, verbose=0)
    scores.record(run, recognizer, {"test": recognizer.evaluate(corpus)}, history)
    examples.write(run, recognizer, examples.choose(corpus.splits["test"]))
    return run, recognizer


@pytest.fixture(autouse=True)
def _one_runtime(request, monkeypatch):
    """Certificates by one of TensorFlow's loaders, which saves a process, but for tests of the certificate."""
    if request.module.__name__.rpartition(".")[2] != "test_certificate":
        monkeypatch.setattr(certify, "RUNTIMES", ("v1_session", "c_api")[c_api.library_path() is not None :][:1])


@pytest.fixture(scope="session")
def tones(tmp_path_factory):
    """A folder of audio: a low and a high tone in noise, WAV and FLAC, of different lengths."""
    folder = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    for label, hz in (("high", 1500), ("low", 300)):
        (folder / label).mkdir()
        for i in range(16):
            samples = random.integers(2000, 6000)
            wave = 0.3 * np.sin(2 * np.pi * hz * random.uniform(0.9, 1.1) * np.arange(samples) / 8000)
            wave += random.normal(scale=0.02, size=samples)
            soundfile.write(folder / label / f"{i}.{'wav' if i % 2 else 'flac'}", wave, 8000)
    return folder


@pytest.fixture(scope="session")
def melodies(tmp_path_factory):
    """A manifest of audio with texts: each letter of "abc" is a tone of 0.2 s, a space is a pause."""
    folder, random, lines = tmp_path_factory.mktemp("melodies"), np.random.default_rng(0), []
    for i in range(48):
        text = " ".join(
            "".join(random.permutation(list("abc"))[: random.integers(1, 4)]) for _ in range(random.integers(1, 3))
        )
        waves = []
        for letter in text:
            wave = np.sin(2 * np.pi * {"a": 300, "b": 800, "c": 2000, " ": 0}[letter] * np.arange(1600) / 8000)
            waves.append(0.3 * wave * np.hanning(1600))
        samples = np.concatenate(waves) + random.normal(scale=0.005, size=1600 * len(text))
        soundfile.write(folder / f"{i}.wav", samples, 8000)
        split = "test" if i < 8 else "validation" if i < 16 else "train"
        speaker = f"s{i % 4 + (10 if split == 'train' else 0)}"
        lines.append(json.dumps({"path": f"{i}.wav", "text": text.upper(), "split": split, "speaker": speaker}))
    (folder / "melodies.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder / "melodies.jsonl"


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """A list of pairs: bars in a picture, the further right the higher the tone of the clip; four groups."""
    folder, random = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    lines = ["image,audio,group,split"]
    for i in range(96):
        group = i % 4
        pixels = random.integers(0, 60, (12, 16), "uint8")
        pixels[:, 4 * group : 4 * group + 3] += 150
        Image.fromarray(pixels).save(folder / f"{i}.png")
        times = np.arange(random.integers(1000, 2000)) / 8000
        wave = 0.3 * np.sin(2 * np.pi * (300 * 2**group) * times) + random.normal(scale=0.02, size=len(times))
        soundfile.write(folder / f"{i}.wav", wave, 8000)
        split = "test" if i < 16 else "validation" if i < 32 else "train"
        lines.append(f"{i}.png,{i}.wav,{'abcd'[group]},{split}")
    (folder / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    (folder / "classes.csv").write_text("\n".join(lines).replace("group", "label", 1), encoding="utf-8")
    return folder / "pairs.csv"


@pytest.fixture(scope="session")
def speakers(tmp_path_factory):
    """A list of moving pictures and clips with texts: each letter of "abc" is a moving bar and a tone of 0.2 s."""
    return moving_data.write_list(tmp_path_factory.mktemp("speakers"), 60, longest=2)


@pytest.fixture(scope="session")
def trained(tones, melodies, pairs, speakers, tmp_path_factory):
    """A function from a name to (run, recognizer).

    "digits" for images, "cnn" and "lstm" for the tones, "bilstm_ctc" and "las" for the melodies, "dual_encoder",
    "davenet" with matchmaps and "av_fusion" for the pairs, "av_ctc" for the moving pictures.
    """

    @functools.cache
    def run_of(name):
        words = ["--data.name", "folder", "--data.path", str(tones), "--model.name", name, "--fit.epochs", "3"]
        texts = ["--data.name", "manifest", "--data.path", str(melodies), "--model.name", name, "--task.name"]
        texts += ["transcribe", "--task.shown", "0", "--fit.epochs", "12", "--fit.learning_rate", "0.01"]
        texts += ["--fit.batch_seconds", "6"]
        both = ["--data.name", "paired", "--data.channels", "1", "--fit.epochs", "8", "--fit.batch_size", "16"]
        both += ["--frontend.speech.normalize", "none", "--model.image.width", "4", "--model.speech.width", "4"]
        both += ["--model.image.depth", "2", "--model.speech.depth", "2", "--data.path"]
        classes = [*both, str(pairs.with_name("classes.csv")), "--task.name", "classify", "--fit.learning_rate", "0.02"]
        embedded = [*both, str(pairs), "--task.embedding_dim", "16", "--fit.learning_rate", "0.01"]
        maps = ["--data.name", "paired", "--data.channels", "1", "--data.path", str(pairs), "--fit.epochs", "1"]
        maps += ["--model.name", "davenet", "--model.width_multiplier", "0.05", "--model.similarity", "misa"]
        maps += ["--model.batch_norm", "--task.embedding_dim", "8"]
        moving = ["--data.name", "paired", "--data.moving", "--data.channels", "1", "--data.path", str(speakers)]
        moving += ["--task.name", "transcribe", "--task.shown", "0", "--fit.epochs", "24", "--fit.batch_size", "8"]
        moving += ["--fit.learning_rate", "0.01", "--frontend.image.height", "12", "--frontend.image.width", "12"]
        moving += ["--model.image.name", "mlp", "--model.image.width", "32", "--model.image.depth", "1"]
        moving += ["--model.speech.name", "lstm_ctc", "--model.speech.units", "24", "--model.speech.depth", "1"]
        moving += ["--model.speech.dropout", "0", "--model.units", "24", "--model.dropout", "0"]
        moving += ["--fit.monitor", "loss"]
        words = {
            "av_ctc": moving,
            "dual_encoder": embedded,
            "davenet": maps,
            "av_fusion": [*classes, "--model.units", "8", "--model.dropout", "0"],
            "digits": ["--fit.epochs", "4", "--model.width", "8"],
            "cnn": [*words, "--model.width", "4"],
            "lstm": [*words, "--model.units", "16"],
            "bilstm_ctc": [*texts, "--model.depth", "1", "--model.units", "24"],
            "las": [*texts, "--model.units", "16"],
        }[name]
        return train(flags.to_config(flags.parse_fit(words)[1]), tmp_path_factory.mktemp("runs") / name)

    return run_of


@pytest.fixture(scope="session")
def published(trained, tmp_path_factory):
    """The version 1 of the trained model "digits", as `tfrec export` publishes it; a test that damages it copies it."""
    return publish.publish(trained("digits")[1], tmp_path_factory.mktemp("published"), "digits")


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory):
    """A function from a trained recognizer's name to its SavedModel's folder."""

    @functools.cache
    def folder_of(name):
        folder = tmp_path_factory.mktemp("export") / name
        savedmodel.write(trained(name)[1], folder)
        return folder

    return folder_of


@pytest.fixture
def fails(tmp_path, monkeypatch, capsys):
    """A function that runs a command, checks that it fails without a change to the folder, and returns its message."""
    monkeypatch.chdir(tmp_path)

    def run(entry, *words):
        before = files(tmp_path)
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            console.run(lambda: entry.main([*map(str, words)]))
        return check(stop.value.code, capsys.readouterr().err, before, tmp_path)

    return run
