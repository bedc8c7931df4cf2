"""What a sweep may choose, and what the oracles draw from it."""

import json

import keras_tuner
import pytest
from keras_tuner.engine.hyperparameters import HyperParameters

from tfrec.config import experiments, flags
from tuning import grammar, spaces

DIGITS = experiments.find("digits")()
DRAWS = 300


def parse(*lines):
    return grammar.parse(lines, DIGITS)


def raw(parameters, number=DRAWS):
    """Values that the random oracle draws, all different, as Keras Tuner names them."""
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("accuracy", "max"),
        max_trials=number,
        hyperparameters=spaces.hyperparameters(parameters),
        seed=1,
    )
    found = [oracle.populate_space(str(i)) for i in range(number)]
    return [answer["values"] for answer in found if "values" in answer]


def drawn(parameters, number=DRAWS):
    return [spaces.chosen(parameters, values) for values in raw(parameters, number)]


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("model.dropout=0..0.5", (0, 0.5)),
        ("model.dropout=0..0.3:step=0.1", (0, pytest.approx(0.3))),
        ("model.width=16..70:step=16", (16, 64)),
        ("model.width=16..32:step=16", (16, 32)),
        ("model.width=3..20:log:step=2", (3, 12)),
        ("fit.learning_rate=1e-3..2e-2:log:step=3", (1e-3, pytest.approx(9e-3))),
        ("fit.optimizer=sgd,adam,adamw", ("sgd", "adam", "adamw")),
    ],
)
def test_ends_are_drawn_and_nothing_beyond_them(line, ends):
    (parameter,) = parse(line)
    assert parameter.ends == ends
    values = [found[parameter.name] for found in drawn([parameter])]
    if parameter.choices:
        assert set(values) == set(ends)
        return
    assert all(isinstance(value, int if parameter.whole else float) for value in values)
    assert min(values) >= ends[0]
    assert max(values) <= parameter.ends[1]
    if parameter.step is None:
        assert min(values) < ends[0] + 0.05 * (ends[1] - ends[0])
        assert max(values) > ends[1] - 0.05 * (ends[1] - ends[0])
    else:
        assert (min(values), max(values)) == ends


def test_a_logarithm_makes_small_values_as_likely_as_large():
    values = [found["fit.learning_rate"] for found in drawn(parse("fit.learning_rate=1e-4..1e-2:log"))]
    assert 0.4 < sum(value < 1e-3 for value in values) / len(values) < 0.6


def test_a_name_may_stand_twice_where_never_both_count():
    lines = ["model.name=cnn,mlp", "model.width=8..16 if model.name=cnn", "model.width=100..200 if model.name=mlp"]
    for found in drawn(parse(*lines), 60):
        low, high = {"cnn": (8, 16), "mlp": (100, 200)}[found["model.name"]]
        assert low <= found["model.width"] <= high


def test_words_become_the_configuration():
    values = {
        "model.name": "mlp",
        "model.width": 48,
        "model.dropout": 1.5e-05,
        "frontend.scale": "0.9 1.1",
        "frontend.horizontal_flip": "true",
        "frontend.vertical_flip": "false",
        "fit.step_epochs": "3 5",
        "fit.patience": "None",
        "fit.batch_size": "16",
    }
    config = flags.to_config(flags.parse_fit(["digits", *spaces.words(values)])[1])
    assert (config.model.name, config.model.width, config.model.dropout) == ("mlp", 48, 1.5e-05)
    assert (config.frontend.scale, config.frontend.horizontal_flip) == ((0.9, 1.1), True)
    assert (config.frontend.vertical_flip, config.fit.step_epochs) == (False, (3, 5))
    assert (config.fit.patience, config.fit.batch_size) == (None, 16)
    assert spaces.words({}) == []


SPACE = (
    "model.name=cnn,mlp,vgg16",
    "model.depth=1..4",
    "model.width=8..64:log if model.name=cnn",
    "model.width=100..300:step=50 if model.name=mlp",
    "frontend.scale=1 1,0.9 1.1 if model.name=cnn",
    "frontend.rotation_degrees=0..20 if model.name=cnn and frontend.scale=1 1",
    "frontend.horizontal_flip=true,false",
    "fit.learning_rate=1e-4..1e-2:log",
)


def configs(space):
    """What a space holds, by name, as the wire has an order of its own; without defaults, which it fills in."""
    return sorted(json.dumps({**hp.get_config(), "default": None}, sort_keys=True) for hp in space.space)


def test_hyperparameters_survive_the_wire():
    before = spaces.hyperparameters(parse(*SPACE))
    after = HyperParameters.from_proto(before.to_proto())
    assert len(before.space) == len(SPACE)
    assert configs(after) == configs(before)


def test_a_trial_keeps_what_was_drawn_for_it_also_on_the_wire():
    parameters = parse(*SPACE)
    trial = spaces.hyperparameters(parameters)
    for values in raw(parameters, 40):
        expected = spaces.chosen(parameters, values)
        assert len(expected) == len(values)
        trial.values = dict(values)
        trial.ensure_active_values()  # as oracles do to every new trial
        assert spaces.chosen(parameters, trial.values) == expected
        sent = HyperParameters.from_proto(trial.to_proto())
        assert spaces.chosen(parameters, sent.values) == expected


def test_what_tuners_add_is_kept():
    assert spaces.chosen(parse("fit.epochs=1..3"), {"fit.epochs": 2, "tuner/epochs": 5, "other": 1}) == {
        "fit.epochs": 2,
        "tuner/epochs": 5,
    }


def test_what_does_not_count_is_not_drawn():
    parameters = parse(*SPACE)
    all_drawn = drawn(parameters, 200)
    for values in all_drawn:
        assert set(values) == {parameter.name for parameter in parameters if parameter.counts(values)}
    models = {values["model.name"] for values in all_drawn}
    assert models == {"cnn", "mlp", "vgg16"}
    assert any("frontend.rotation_degrees" in values for values in all_drawn)
    assert any("frontend.rotation_degrees" not in values for values in all_drawn if values["model.name"] == "cnn")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["model.width=16..64", "frontend.scale=1 1,0.9 1.1", "fit.batch_size=16,32", "model.dropout=0..0.5"],
            {"model.width": 32, "frontend.scale": "0.9 1.1", "fit.batch_size": "32", "model.dropout": 0.3},
        ),
        (["frontend.horizontal_flip=true,false"], {"frontend.horizontal_flip": "false"}),
        (
            ["model.name=cnn,mlp", "model.width=8..48 if model.name=cnn", "model.width=100..200 if model.name=mlp"],
            {"model.name": "cnn", "model.width": 32},
        ),
        (
            ["model.name=cnn,mlp", "model.width=100..200 if model.name=mlp", "model.width=8..48 if model.name=cnn"],
            {"model.name": "cnn", "model.width#2": 32},
        ),
        (["model.width=64..128"], None),
        (["fit.optimizer=sgd,adam"], None),
        (["model.time_pools=1,2"], None),
    ],
)
def test_where_a_sweep_starts(lines, expected):
    assert spaces.start(parse(*lines)) == expected
