"""Flags, JSON and experiments become one configuration."""

import dataclasses
import json

import pytest

from pipelines.errors import UserError
from tfrec.config import experiments, flags
from tfrec.config.schema import Config


def config(*words):
    return flags.to_config(flags.parse_fit(words)[1])


def test_no_words_are_the_digits():
    assert config() == experiments.find("digits")()


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_survives_json(name, tmp_path):
    stored = config(name).to_dict()
    assert Config.from_dict(json.loads(json.dumps(stored))) == config(name)
    (tmp_path / "config.json").write_text(json.dumps(stored))
    assert config("--config", str(tmp_path / "config.json")) == config(name)


def test_flags_go_over_the_experiment_and_the_file(tmp_path):
    changed = config(
        "mnist", "--fit.epochs", "3", "--model.width=7", "--fit.jit_compile", "--frontend.scale", "0.5", "2"
    )
    assert (changed.fit.epochs, changed.model.width, changed.fit.jit_compile) == (3, 7, True)
    assert changed.frontend.scale == (0.5, 2.0)
    assert dataclasses.replace(changed.fit, epochs=8, jit_compile=False) == experiments.find("mnist")().fit
    (tmp_path / "c.json").write_text(json.dumps(changed.to_dict()))
    again = config("--config", str(tmp_path / "c.json"), "--fit.epochs", "4", "--fit.no_jit_compile")
    assert (again.fit.epochs, again.fit.jit_compile, again.model.width) == (4, False, 7)


def test_another_architecture_brings_its_own_flags():
    changed = config("digits", "--model.name", "mlp", "--model.width", "32")
    assert (changed.model.name, changed.model.width) == ("mlp", 32)
    assert changed.fit == experiments.find("digits")().fit
    with pytest.raises(UserError, match=r"model\.convolutions"):
        config("digits", "--model.name", "mlp", "--model.convolutions", "2")


def test_data_by_name_brings_its_own_frontend():
    images = config("--data.name", "mnist", "--model.name", "mlp")
    assert (images.frontend.name, images.model.name, images.data.name) == ("image", "mlp", "mnist")
    speech = config("--data.name", "spoken_digit")
    assert (speech.frontend.name, speech.model.name) == ("speech", "cnn")
    negative = config("--data.name", "spoken_digit", "--frontend.snr_db", "-5", "20")
    assert negative.frontend.snr_db == (-5.0, 20.0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["minst"], "experiment 'minst': did you mean 'mnist'"),
        (["--fit.epoch", "3"], "flag '--fit.epoch': did you mean '--fit.epochs'"),
        (["--fit.epochs", "many"], "fit.epochs"),
        (["--fit.epochs", "0"], "fit.epochs must be 1 or more"),
        (["--fit.optimizer", "adm"], "'adm'"),
        (["--model.name", "cnnn"], "architecture 'cnnn': did you mean 'cnn'"),
        (["--data.name", "mnits"], "did you mean 'mnist'"),
        (["--task.label_smoothing", "1.5"], "label_smoothing"),
        (["--resume"], "--resume needs --run"),
        (["digits", "extra"], "'extra'"),
        (["--config", "nowhere.json"], "nowhere.json"),
        (["--fit.schedule", "step"], "step_epochs"),
    ],
)
def test_mistakes_are_one_sentence(words, sentence):
    with pytest.raises(UserError) as caught:
        flags.parse_fit(words)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_key_in_a_file_is_an_error(tmp_path):
    stored = config().to_dict()
    stored["fit"]["epoch"] = 3
    (tmp_path / "c.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match=r"did you mean '--fit\.epochs'"):
        config("--config", str(tmp_path / "c.json"))


def test_help_lists_flags_with_their_meaning(capsys):
    with pytest.raises(SystemExit) as stop:
        flags.parse_fit(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for part in (
        "--fit.learning_rate",
        "passes over the training split",
        "--data.name",
        "--frontend.rotation_degrees",
        "--resume",
    ):
        assert part in text
