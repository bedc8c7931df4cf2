"""Experiments: their registry, and the configurations that they return."""

import dataclasses
import inspect
import json

import pytest

from pipelines import frontends
from pipelines.errors import UserError
from pipelines.layers import aug_mix
from tfrec.config import Config, build, experiments, flags
from tfrec.evaluation.corruptions import registry


def as_words(values, prefix="--"):
    """The flags that say what a dict says."""
    words = []
    for key, value in values.items():
        if isinstance(value, dict):
            words += as_words(value, f"{prefix}{key}.")
        elif isinstance(value, bool):
            words.append(f"{prefix}{key}" if value else f"{prefix}no_{key}")
        elif isinstance(value, list):
            words += [f"{prefix}{key}", *map(str, value)]
        else:
            words.append(f"{prefix}{key}={value}")
    return words


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_survives_a_dict_json_and_flags(name, tmp_path):
    config = experiments.find(name)()
    assert build(name) == Config.from_dict(config.to_dict()) == config
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert flags.to_config(flags.parse_fit([name])[1]) == config
    assert flags.to_config(flags.parse_fit(as_words(config.to_dict()))[1]) == config
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert flags.to_config(flags.parse_fit(["--config", str(tmp_path / "config.json")])[1]) == config


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_docstring_states_the_command(name):
    text = inspect.getdoc(experiments.find(name))
    assert "Command: `" in text
    assert name == "digits" or name in text or "tfrec study speakers" in text


def test_the_robust_training_has_none_of_the_corruptions():
    """Neither the operations of AugMix nor the other settings of its frontend are among the 15."""
    frontend = build("cifar10_robust").frontend
    plain = frontends.ImageConfig()
    settings = {
        field.name
        for field in dataclasses.fields(frontend)
        if getattr(frontend, field.name) != getattr(plain, field.name)
    }
    assert "aug_mix_probability" in settings
    operations = {*aug_mix.OPERATIONS, *settings}
    assert not operations & {"rand_augment_operations", "brightness", "contrast", "saturation", "hue", "mixup"}
    assert not operations & set(registry.BENCHMARK)
    words = {word for name in operations for word in name.split("_")}
    assert not words & {"noise", "blur", "snow", "frost", "fog", "elastic", "pixelate", "jpeg", "sharpness", "color"}


def test_unknown_experiment():
    with pytest.raises(UserError, match="Unknown experiment 'minst': did you mean 'mnist'"):
        experiments.find("minst")


def test_data_in_the_place_of_an_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "digits", "listed"):
        (tmp_path / name).mkdir()
    (tmp_path / "listed" / "metadata.csv").touch()
    (tmp_path / "clips.csv").touch()
    for word, dataset in (
        ("photos", "folder"),
        ("./digits", "folder"),
        (str(tmp_path), "folder"),
        ("listed", "manifest"),
        ("clips.csv", "manifest"),
        ("gone/", "folder"),
    ):
        flags = [f"--data.name={dataset}", f"--data.path={word}", "--seed", "1"]
        assert experiments.split_words([word, "--seed", "1"]) == (None, flags)
    assert experiments.split_words(["digits"]) == ("digits", [])
    assert experiments.split_words(["gone"]) == ("gone", [])
    assert experiments.split_words(["--seed", "1"]) == (None, ["--seed", "1"])
    assert experiments.split_words([]) == (None, [])
