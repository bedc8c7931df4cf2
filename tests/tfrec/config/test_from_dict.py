"""Dicts and JSON become configurations; a mistake is one sentence that names the path."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import Config, build, experiments, from_dict
from tfrec.config.schema import unstructure

FOLDER = {"data.name": "folder", "frontend.name": "speech"}
TRANSCRIBE = {"task.name": "transcribe"}


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"fit.epoch": 3}, "Unknown key 'fit.epoch': did you mean 'fit.epochs'?"),
        ({"fit": {"epoch": 3}}, "Unknown key 'fit.epoch': did you mean 'fit.epochs'?"),
        ({"fti": {"epochs": 3}}, "Unknown key 'fti.epochs': did you mean 'fit.epochs'?"),
        ({"fti": {}}, "Unknown key 'fti': did you mean 'fit'"),
        ({"zebra": 1}, "Unknown key 'zebra': known are 'data', 'frontend', 'model', 'task', 'fit', 'export', 'seed'."),
        ({"epochs": 3}, "Unknown key 'epochs': did you mean 'fit.epochs'?"),
        ({"help": True}, "Unknown key 'help': known are 'data', 'frontend'"),
        ({"resume": True}, "Unknown key 'resume'"),
        ({5: 3}, "Unknown key '5'"),
        ({"model": {"name": "mlp", "convolutions": 2}}, "Unknown key 'model.convolutions'"),
        ({**FOLDER, "data.paht": "x"}, "Unknown key 'data.paht': did you mean 'data.path'"),
        ({**TRANSCRIBE, "task.text.cas": "x"}, "Unknown key 'task.text.cas': did you mean 'task.text.case'?"),
        ({"fit.learning_rate": "fast"}, "fit.learning_rate must be a number. Received: 'fast'"),
        ({"fit.learning_rate": True}, "fit.learning_rate must be a number. Received: True"),
        ({"fit.learning_rate": 10**400}, "fit.learning_rate must be a number. Received: 1000"),
        ({"fit.learning_rate": float("nan")}, "fit.learning_rate must be above 0. Received: nan"),
        ({"fit.epochs": "many"}, "fit.epochs must be a whole number. Received: 'many'"),
        ({"fit.epochs": 1.5}, "fit.epochs must be a whole number. Received: 1.5"),
        ({"fit.epochs": float("inf")}, "fit.epochs must be a whole number. Received: inf"),
        ({"fit.epochs": True}, "fit.epochs must be a whole number. Received: True"),
        ({"fit.epochs": None}, "fit.epochs must be a whole number. Received: None"),
        ({"fit.epochs": [1, 2]}, "fit.epochs must be a whole number. Received: [1, 2]"),
        ({"fit.epochs": {"x": 1}}, "fit.epochs must be a whole number. Received: {'x': 1}"),
        ({"fit.epochs": 0}, "fit.epochs must be 1 or more. Received: 0"),
        ({"fit.patience": "long"}, "fit.patience must be a whole number. Received: 'long'"),
        ({"fit.jit_compile": "yes"}, "fit.jit_compile must be true or false. Received: 'yes'"),
        ({"fit.jit_compile": 1}, "fit.jit_compile must be true or false. Received: 1"),
        ({"fit.monitor": 5}, "fit.monitor must be a string. Received: 5"),
        ({"fit.optimizer": "adma"}, "fit.optimizer must be one of 'sgd', 'adam', 'adamw', 'rmsprop'. Received: 'adma'"),
        ({**TRANSCRIBE, "task.fold_phonemes": "39"}, "task.fold_phonemes must be one of 61, 48, 39. Received: '39'"),
        ({"frontend.scale": 1}, "frontend.scale must be a list. Received: 1"),
        ({"frontend.scale": "12"}, "frontend.scale must be a list. Received: '12'"),
        ({"frontend.scale": [1]}, "frontend.scale must be a list of 2 values. Received: [1]"),
        ({"frontend.scale": [1, "x"]}, "frontend.scale[1] must be a number. Received: 'x'"),
        ({"data.only_classes": ["a", 1]}, "data.only_classes[1] must be a string. Received: 1"),
        ({"fit.step_epochs": [2, 3.5]}, "fit.step_epochs[1] must be a whole number. Received: 3.5"),
        ({"fit": 5}, "fit must be a mapping of settings. Received: 5"),
        ({"data": "mnist"}, "data must be a mapping of settings. Received: 'mnist'"),
        ({**TRANSCRIBE, "task.text": "x"}, "task.text must be a mapping of settings. Received: 'x'"),
        ({"model.name": 5}, "model.name must be a string. Received: 5"),
        ({"model.name": ""}, "Unknown architecture ''"),
        ({"model.name": "cnnn"}, "Unknown architecture 'cnnn': did you mean 'cnn'?"),
        ({"data.name": "mnits"}, "Unknown dataset 'mnits': did you mean 'mnist'"),
        ({"task.name": "sing"}, "Unknown task 'sing': known are 'best_rq', 'classify', 'masked_pixels'"),
        (
            {"frontend.name": "sound"},
            "Unknown frontend 'sound': known are 'image', 'speech', 'paired', 'audio_visual'.",
        ),
        ({"seed": -1}, "seed must be 0 or more and below 2,147,483,648. Received: -1"),
        ({"data.name": "folder"}, "data.path is needed"),
        ({"data.name": "folder", "data.path": 5}, "data.path must be a string. Received: 5"),
        ([1, 2], "a configuration must be a mapping of settings. Received: [1, 2]"),
    ],
    ids=str,
)
def test_mistakes_name_the_path(overrides, sentence):
    with pytest.raises(UserError) as caught:
        build(None, overrides)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_errors_name_the_file():
    with pytest.raises(UserError, match=r"^runs/mine/config\.json: fit\.epochs must be 1 or more"):
        Config.from_dict({"fit": {"epochs": 0}}, pathlib.Path("runs/mine/config.json"))


def test_unknown_experiment():
    with pytest.raises(UserError, match="experiment 'minst': did you mean 'mnist'"):
        build("minst")


def test_nested_and_dotted_names_may_be_mixed():
    config = build("mnist", {"fit.epochs": 3, "fit": {"batch_size": 8}, "model.width": 7, "model": {"depth": 2}})
    assert (config.fit.epochs, config.fit.batch_size, config.model.width, config.model.depth) == (3, 8, 7, 2)
    assert dataclasses.replace(config.fit, epochs=8, batch_size=64) == experiments.find("mnist")().fit


def test_without_settings_it_is_the_experiment_digits():
    assert build() == Config.from_dict({}) == experiments.find("digits")()


def test_values_take_the_type_of_their_field(tmp_path):
    overrides = {
        "fit.epochs": 3.0,
        "fit.learning_rate": 1,
        "fit.batch_size": np.int64(8),
        "fit.momentum": np.float32(0.5),
    }
    config = build(None, {**overrides, "frontend.scale": [1, 2], "export.folder": tmp_path, "fit.clip_norm": None})
    values = (config.fit.epochs, config.fit.learning_rate, config.fit.batch_size, config.fit.momentum)
    assert values == (3, 1.0, 8, 0.5)
    assert [type(value) for value in values] == [int, float, int, float]
    assert config.frontend.scale == (1.0, 2.0)
    assert config.export.folder == str(tmp_path)
    assert config.fit.clip_norm is None


def test_a_new_name_brings_the_defaults_of_that_part():
    mlp = build("digits", {"model.name": "mlp"})
    assert mlp.model == architectures.default_config("mlp")
    assert (mlp.fit, mlp.frontend) == (experiments.find("digits")().fit, experiments.find("digits")().frontend)
    speech = build("mnist", {"data.name": "spoken_digit"})
    assert (speech.frontend, speech.model.name) == (frontends.default_config("speech"), "cnn")
    assert speech.fit == experiments.find("mnist")().fit
    texts = build("spoken_digit", {"task.name": "transcribe"})
    assert (texts.task, texts.model.name) == (tasks.default_config("transcribe"), "bilstm_ctc")
    read = build("digits", {"data": {"name": "librispeech", "path": "x"}})
    assert (read.task.name, read.model.name, read.frontend.name) == ("transcribe", "bilstm_ctc", "speech")
    smoothed = build("cifar10", {"data.name": "mnist"})
    assert smoothed.task == tasks.default_config("classify")  # and not with the label smoothing for other data


def test_the_same_name_keeps_the_settings_of_the_experiment():
    same = {"data.name": "mnist", "model.name": "cnn", "task.name": "classify", "frontend.name": "image"}
    assert build("mnist", same) == build("mnist") == experiments.find("mnist")()


@pytest.mark.parametrize("value", ["-5dB", "None", "true", "-1", "--quiet", "", "a.b", "ü", "[1]"])
def test_strings_survive_json(value):
    name = value or "digits"  # the name of a folder
    overrides = {"data.only_classes": [value, "0dB"], "export.name": name, "data.name": "manifest", "data.path": value}
    config = build(None, {**overrides, "frontend.name": "image"})
    assert config.data.only_classes == (value, "0dB")
    assert (config.export.name, config.data.path) == (name, value)
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_every_architecture_survives_json(name):
    config = build(None, {"data.name": "mnist", "model.name": name})
    assert config.model == architectures.default_config(name)
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_every_dataset_survives_json(name):
    config = build(None, {"data.name": name, "frontend.name": "speech"})
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_part_of_a_saved_configuration_is_enough():
    stored = build("spoken_digit").to_dict()
    del stored["export"], stored["seed"], stored["fit"]["clip_norm"]
    assert Config.from_dict(stored) == build("spoken_digit")


def test_unstructure_leaves_only_what_json_has():
    assert unstructure(build("spoken_digit_noise").frontend)["noise_types"] == ["crowd", "machine", "traffic"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "as JSON"), ("[1, 2]", "must hold a JSON object"), ("", "as JSON"), (None, "There is no file")],
)
def test_files_without_a_json_object(text, sentence, tmp_path):
    if text is not None:
        (tmp_path / "c.json").write_text(text)
    with pytest.raises(UserError, match=sentence) as caught:
        from_dict.read_json(tmp_path / "c.json")
    assert "c.json" in str(caught.value)
