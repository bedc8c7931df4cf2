"""The conditions of a noise report: what they hold out from a training, and how ratios are written."""

import dataclasses

import pytest

from pipelines.errors import UserError
from pipelines.frontends import SpeechConfig
from tests.tfrec import pitches
from tfrec.evaluation.noise_conditions import CLEAN, Conditions, parse_ratios


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    return pitches.write_noises(tmp_path_factory.mktemp("noise"))


def test_the_noises_of_a_training_are_set_a(noise, caplog):
    clean = SpeechConfig()
    assert Conditions.for_run(clean, noise) == Conditions(noise)
    same_sets = Conditions.for_run(clean, noise, seen=("hum",), seen_fraction=0.65, seed=2)
    assert same_sets == Conditions(noise, seen=("hum",), seen_fraction=0.65, seed=2)
    run = SpeechConfig(noise_path=noise, noise_types=("hum",), noise_fraction=0.65)
    assert Conditions.for_run(run, noise, seed=2) == same_sets
    assert Conditions.for_run(dataclasses.replace(run, noise_probability=0.0), noise) == Conditions(noise)
    everything = dataclasses.replace(run, noise_types=())
    assert Conditions.for_run(everything, noise).seen == ("hiss", "hum")
    assert Conditions.for_run(dataclasses.replace(run, noise_path=f"{noise}/hiss", noise_types=()), noise).seen == (
        "hiss",
    )
    assert Conditions.for_run(run, noise, seen=()) == Conditions(noise)
    assert Conditions.for_run(run, f"{noise}/hiss") == Conditions(f"{noise}/hiss")
    whole = dataclasses.replace(run, noise_fraction=1.0)
    with caplog.at_level("WARNING"):
        assert Conditions.for_run(whole, noise) == Conditions(noise, seen=("hum",), seen_fraction=0.0)
    assert "Training used the whole of each noise hum" in caplog.text
    assert Conditions.for_run(whole, noise, seen_fraction=0.0).seen_fraction == 0
    with pytest.raises(UserError, match=r"Unknown type of noise in .* 'humm': did you mean 'hum'"):
        Conditions.for_run(run, noise, seen=("humm",))
    with pytest.raises(UserError, match="--seen needs --seen-fraction"):
        Conditions.for_run(clean, noise, seen=("hum",))
    with pytest.raises(UserError, match="/nowhere, does not exist: name its types by --seen"):
        Conditions.for_run(dataclasses.replace(everything, noise_path="/nowhere"), noise)


def test_ratios():
    assert parse_ratios("-5, clean,20,2.5") == (CLEAN, 20, 2.5, -5)
    assert str(parse_ratios("-0")) == "(0.0,)"
    with pytest.raises(ValueError, match=r"snr must name each ratio once\. Received: '5\.0' again in '5,5\.0'"):
        parse_ratios("5,5.0")
