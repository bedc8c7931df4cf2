"""The parameters of a space, and what the oracles draw from them."""

import json

import keras_tuner
import pytest
from keras_tuner.engine.hyperparameters import HyperParameters

from tfrec.config import experiments, flags
from tuning.search_space import grammar, parameters
from tuning.search_space.parameters import Parameter

DIGITS = experiments.find("digits")()
DRAWS = 300


def parse(*lines):
    return grammar.parse(lines, DIGITS)


def raw(space, number=DRAWS):
    """Values that the random oracle draws, all different, under Keras Tuner's names."""
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("accuracy", "max"),
        max_trials=number,
        hyperparameters=parameters.to_hyperparameters(space),
        seed=1,
    )
    found = [oracle.populate_space(str(i)) for i in range(number)]
    return [answer["values"] for answer in found if "values" in answer]


def drawn(space, number=DRAWS):
    return [parameters.active_values(space, values) for values in raw(space, number)]


@pytest.mark.parametrize(
    ("line", "bounds"),
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
def test_the_bounds_are_drawn_and_nothing_beyond_them(line, bounds):
    (parameter,) = parse(line)
    assert parameter.bounds == bounds
    values = [found[parameter.name] for found in drawn([parameter])]
    if parameter.choices:
        assert set(values) == set(bounds)
        return
    assert all(isinstance(value, int if parameter.is_integer else float) for value in values)
    assert min(values) >= bounds[0]
    assert max(values) <= parameter.bounds[1]
    if parameter.step is None:
        assert min(values) < bounds[0] + 0.05 * (bounds[1] - bounds[0])
        assert max(values) > bounds[1] - 0.05 * (bounds[1] - bounds[0])
    else:
        assert (min(values), max(values)) == bounds


def test_a_logarithm_makes_small_values_as_likely_as_large():
    values = [found["fit.learning_rate"] for found in drawn(parse("fit.learning_rate=1e-4..1e-2:log"))]
    assert 0.4 < sum(value < 1e-3 for value in values) / len(values) < 0.6


def test_a_name_may_be_given_twice_for_exclusive_conditions():
    lines = ["model.name=cnn,mlp", "model.width=8..16 if model.name=cnn", "model.width=100..200 if model.name=mlp"]
    for found in drawn(parse(*lines), 60):
        low, high = {"cnn": (8, 16), "mlp": (100, 200)}[found["model.name"]]
        assert low <= found["model.width"] <= high


def test_flags_become_the_configuration():
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
    config = flags.to_config(flags.parse_fit(["digits", *parameters.to_flags(values)])[1])
    assert (config.model.name, config.model.width, config.model.dropout) == ("mlp", 48, 1.5e-05)
    assert (config.frontend.scale, config.frontend.horizontal_flip) == ((0.9, 1.1), True)
    assert (config.frontend.vertical_flip, config.fit.step_epochs) == (False, (3, 5))
    assert (config.fit.patience, config.fit.batch_size) == (None, 16)
    assert parameters.to_flags({}) == []


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


def configs(hyperparameters):
    """The content of a space, sorted, as messages reorder it; without defaults, which they fill in."""
    return sorted(json.dumps({**hp.get_config(), "default": None}, sort_keys=True) for hp in hyperparameters.space)


def test_hyperparameters_survive_a_message():
    before = parameters.to_hyperparameters(parse(*SPACE))
    after = HyperParameters.from_proto(before.to_proto())
    assert len(before.space) == len(SPACE)
    assert configs(after) == configs(before)


def test_a_trial_keeps_its_values_in_a_message():
    space = parse(*SPACE)
    trial = parameters.to_hyperparameters(space)
    for values in raw(space, 40):
        expected = parameters.active_values(space, values)
        assert len(expected) == len(values)
        trial.values = dict(values)
        trial.ensure_active_values()  # as oracles do to every new trial
        assert parameters.active_values(space, trial.values) == expected
        sent = HyperParameters.from_proto(trial.to_proto())
        assert parameters.active_values(space, sent.values) == expected


def test_values_that_tuners_add_are_kept():
    assert parameters.active_values(parse("fit.epochs=1..3"), {"fit.epochs": 2, "tuner/epochs": 5, "other": 1}) == {
        "fit.epochs": 2,
        "tuner/epochs": 5,
    }


def test_inactive_parameters_are_not_drawn():
    space = parse(*SPACE)
    all_drawn = drawn(space, 200)
    for values in all_drawn:
        assert set(values) == {parameter.name for parameter in space if parameter.is_active(values)}
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
def test_values_of_the_configuration_that_a_sweep_starts_from(lines, expected):
    assert parameters.default_values(parse(*lines)) == expected


def test_parameters_that_share_a_name_become_one():
    cnn, mlp = ((("model.name", (name,)),) for name in ("cnn", "mlp"))
    ranges = [Parameter("d", low=1, high=4, conditions=cnn), Parameter("d", low=2, high=9, conditions=mlp)]
    (merged,) = parameters.merge_by_name(ranges)
    assert (merged.low, merged.high, merged.conditions) == (1, 9, cnn + mlp)
    (merged,) = parameters.merge_by_name([Parameter("d", choices=("1", "2")), Parameter("d", choices=("2", "3"))])
    assert merged.choices == ("1", "2", "3")
    (merged,) = parameters.merge_by_name([Parameter("d", choices=("1", "2")), Parameter("d", low=1, high=2, log=True)])
    assert (merged.choices, merged.low) == ((), None)
