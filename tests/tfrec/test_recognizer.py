"""The recognizer: the only place where frontend and network meet, its construction, and its sources."""

import dataclasses

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tests.tfrec import pitches, untrained
from tfrec import tasks
from tfrec.commands import corruption_report, evaluate, export, fit, noise_report, predict
from tfrec.config import flags
from tfrec.recognizer import Features, Recognizer
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.serving import examples, publish


class CalledError(Exception):
    """Raised by the replaced `Recognizer.__call__`."""


def build(*words):
    """The untrained recognizer of flags, and its corpus."""
    config = flags.to_config(flags.parse_fit([*map(str, words)])[1])
    corpus = datasets.load(config.data)
    config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, corpus))
    return Recognizer(config, tasks.labels(config.task, corpus)), corpus


@pytest.fixture(scope="module")
def digits():
    return build("digits", "--model.name", "mlp", "--model.width", "4", "--model.dropout", "0")


@pytest.fixture(scope="module")
def home(digits, tones, tmp_path_factory):
    """A folder with the runs digits, tones, texts and causal, a picture, a clip, and noises."""
    folder = tmp_path_factory.mktemp("home")
    pairs = {
        "digits": digits,
        "tones": build("--data.name", "folder", "--data.path", tones, "--model.name", "lstm", "--model.units", "4"),
    }
    for name, (recognizer, corpus) in pairs.items():
        raw = examples.choose(corpus.splits["test"])
        run = untrained.run(folder / name, recognizer)
        examples.write(run, recognizer, raw)
        splits.write(run, corpus)
    untrained.run(folder / "texts", untrained.recognizer("bilstm_ctc"))
    untrained.run(folder / "causal", untrained.recognizer("lstm_ctc", "--frontend.normalize", "running"))
    Image.new("L", (8, 8), 99).save(folder / "picture.png")
    soundfile.write(folder / "clip.wav", untrained.sound(0.5), untrained.RATE_HZ)
    (folder / "noises").mkdir()
    pitches.write_noises(folder / "noises")
    return folder


COMMANDS = {
    "fit": (fit, ["digits", "--model.name", "mlp", "--fit.epochs", "1", "--export.no_after_fit"]),
    "evaluate": (evaluate, ["digits"]),
    "predict a picture": (predict, ["digits", "picture.png"]),
    "predict the class of a clip": (predict, ["tones", "clip.wav"]),
    "predict the text of a clip": (predict, ["texts", "clip.wav"]),
    "stream": (predict, ["causal", "clip.wav", "--stream"]),
    "noise report": (noise_report, ["tones", "--noise", "noises", "--snr", "0"]),
    "corruption report": (corruption_report, ["digits", "--limit", "3"]),
    "export": (export, ["digits", "--folder", "saved"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_calls_the_recognizer(name, home, monkeypatch):
    def raise_error(self, inputs, training=False):
        raise CalledError("Recognizer was called")

    monkeypatch.chdir(home)
    monkeypatch.setattr(Recognizer, "__call__", raise_error)
    command, words = COMMANDS[name]
    with pytest.raises(CalledError, match="Recognizer was called"):
        command.main(words)


def test_an_export_without_a_run_calls_the_recognizer(digits, tmp_path, monkeypatch):
    def raise_error(self, inputs, training=False):
        raise CalledError("Recognizer was called")

    monkeypatch.setattr(Recognizer, "__call__", raise_error)
    with pytest.raises(CalledError, match="Recognizer was called"):
        digits[0].export(tmp_path, "mine")


@pytest.mark.parametrize("kind", ["image", "speech"])
def test_a_recognizer_is_rebuilt_from_its_config(kind, digits):
    built = digits[0] if kind == "image" else untrained.recognizer("bilstm_ctc")
    config = built.get_config()
    raw = np.arange(64, dtype="uint8").reshape(8, 8, 1) if kind == "image" else untrained.sound(0.4)
    rebuilt = Recognizer.from_config(config)
    assert rebuilt.get_config() == config
    rebuilt.network.set_weights(built.network.get_weights())
    expected, outputs = (keras.tree.flatten(recognizer(built.batch_of_one(raw))) for recognizer in (built, rebuilt))
    for one, other in zip(expected, outputs, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


@pytest.mark.parametrize("kind", ["image", "speech"])
def test_the_keras_model_has_the_same_outputs(kind, digits):
    built = digits[0] if kind == "image" else untrained.recognizer("bilstm_ctc")
    raw = np.arange(120, dtype="uint8").reshape(12, 10, 1) if kind == "image" else untrained.sound(0.4)
    inputs, model = built.batch_of_one(raw), built.model
    assert isinstance(model, keras.Model)
    for one, other in zip(keras.tree.flatten(built(inputs)), keras.tree.flatten(model(inputs)), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_features_are_not_computed_again(digits):
    built, _ = digits
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype("uint8")
    features = built.features(images)
    assert built.features(Features(features)) is features
    np.testing.assert_allclose(built(Features(features)), built(images), atol=1e-6)
    np.testing.assert_allclose(built(Features(features), training=True), built.network(features), atol=1e-6)


def test_a_picture_from_any_source(digits, tmp_path):
    built, _ = digits
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype("uint8")
    path = tmp_path / "digit.png"
    Image.fromarray(pixels).save(path)
    sources = [path, str(path), path.read_bytes(), pixels, pixels[..., None], pixels.astype("float32")]
    answers = [answer.probabilities for answer in built.predict(sources)]
    assert len(answers) == len(sources)
    for answer in answers:
        np.testing.assert_allclose(answer, answers[0], atol=1e-6)
    for source in sources:  # one source in place of several
        (answer,) = built.predict(source)
        np.testing.assert_allclose(answer.probabilities, answers[0], atol=1e-6)


def test_a_clip_from_any_source(tmp_path):
    built = untrained.recognizer("bilstm_ctc")
    samples = untrained.sound(0.6)
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, untrained.RATE_HZ, subtype="FLOAT")
    integers = np.round(samples * 32768).astype("int16")
    sources = [path, str(path), path.read_bytes(), samples, integers, (samples, untrained.RATE_HZ)]
    texts = {answer.text for answer in built.predict(sources)}
    assert texts == {untrained.offline(built, samples)[1]}
    assert [answer.text for source in sources for answer in built.predict(source)] == [*texts] * len(sources)


def test_a_recording_is_read_as_in_training(tmp_path):
    built = untrained.recognizer("bilstm_ctc")
    data = datasets.folder.Config(name="folder", path="x", audio_channel="right")
    recognizer = built.replace(config=dataclasses.replace(built.config, data=data))
    stereo = np.stack([np.zeros(800), np.sin(np.arange(800) / 5) / 2], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, untrained.RATE_HZ, subtype="FLOAT")
    contents = (tmp_path / "a.wav").read_bytes()
    for read in (recognizer.read(tmp_path / "a.wav"), recognizer.read(contents), *recognizer.read_blocks(contents)):
        np.testing.assert_allclose(read, stereo[:, 1], atol=1e-6)


@pytest.mark.parametrize("name", ["digits", "cnn"])
def test_prediction_is_traced_once_for_all_sizes(trained, name, monkeypatch):
    recognizer = trained(name)[1]
    traces, export_outputs = [], recognizer.task.export_outputs
    monkeypatch.setattr(recognizer.task, "export_outputs", lambda *a: traces.append(a) or export_outputs(*a))
    sizes = range(20, 32)
    random = np.random.default_rng(0)
    if name == "digits":
        sources = [random.integers(0, 256, (size, size + 3, 1)).astype("uint8") for size in sizes]
    else:
        sources = [random.normal(scale=0.1, size=100 * size).astype("float32") for size in sizes]
    answers = list(recognizer.predict(sources))
    assert len(traces) <= 3
    for source, answer in zip(sources, answers, strict=True):
        alone = recognizer.answers(recognizer.batch_of_one(source))["probabilities"][0]
        np.testing.assert_allclose(answer.probabilities, alone, atol=1e-5)


def test_a_waveform_with_another_rate_is_resampled():
    built = untrained.recognizer("bilstm_ctc")
    tones = {rate: (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype("float32") for rate in (8000, 24000)}
    resampled = built.read((tones[24000], 24000))
    assert resampled.dtype == "float32"
    np.testing.assert_allclose(resampled[200:-200], tones[8000][200:-200], atol=1e-3)


def test_impossible_sources(digits):
    with pytest.raises(UserError, match="The bytes"):
        list(digits[0].predict(b"not a picture"))
    with pytest.raises(ValueError, match=r"shape \(height, width, 1\). Received: \(8, 8, 3\)"):
        list(digits[0].predict(np.zeros((8, 8, 3), "uint8")))
    with pytest.raises(ValueError, match=r"from 0 to 255\. Received: -1\.0 to 0\.0"):
        list(digits[0].predict(np.linspace(-1, 0, 64, dtype="float32").reshape(8, 8, 1)))
    with pytest.raises(ValueError, match=r"shape \(samples,\). Received: \(1, 80\)"):
        list(untrained.recognizer("bilstm_ctc").predict([np.zeros((1, 80))]))


def test_a_run_holds_the_recognizer(digits, home):
    built, corpus = digits
    loaded = Recognizer.from_run(home / "digits")
    assert loaded.get_config() == built.get_config()
    assert loaded.run.path == home / "digits"
    assert Recognizer.from_run(Run(home / "digits")).run.path == home / "digits"
    expected, one, other = built.evaluate(corpus), loaded.evaluate(corpus.splits["test"], 7), loaded.evaluate(corpus)
    assert one["accuracy"] == other["accuracy"] == expected["accuracy"]
    with pytest.raises(UserError, match="is not a run"):
        Recognizer.from_run(home)


def test_a_saved_recognizer_can_be_exported(digits, tmp_path, monkeypatch):
    built = digits[0].replace()
    monkeypatch.setattr(Run, "write_model", lambda run, model: None)
    monkeypatch.setattr(publish, "_complete", lambda *_: None)  # the certificate
    built.save(tmp_path / "saved")
    loaded = Recognizer.from_run(tmp_path / "saved")
    assert loaded.get_config() == digits[0].get_config()
    for one, other in zip(loaded.network.get_weights(), built.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.export(tmp_path / "models") == tmp_path / "models" / "saved" / "1"
