"""Spaces are checked at their boundary before the first trial."""

import itertools

import pytest

from pipelines.errors import UserError
from tfrec.config import experiments
from tuning.search_space import boundary_configs, grammar


def parse(*lines):
    return grammar.parse(lines, experiments.find("digits")())


def values(*lines):
    """Boundary configurations as tuples of values."""
    return [tuple(row.values()) for row in boundary_configs.boundary_configs(parse(*lines))]


def test_a_small_space_has_all_combinations():
    found = values("model.width=16..64", "fit.optimizer=sgd,adamw")
    assert sorted(found) == sorted(itertools.product((16, 17, 64), ("sgd", "adamw")))  # 17: an odd width
    assert values("model.dropout=0..0.5") == [(0,), (0.5,)]


def test_inactive_parameters_are_left_out():
    parameters = parse("fit.optimizer=sgd,adamw", "fit.momentum=0.5..0.9 if fit.optimizer=sgd")
    rows = boundary_configs.boundary_configs(parameters)
    assert [set(row) for row in rows] == [{"fit.optimizer", "fit.momentum"}] * 2 + [{"fit.optimizer"}]


def test_a_large_space_has_every_pair_that_can_be_active_together():
    lines = [f"frontend.{name}=0..9" for name in ("rotation_degrees", "shear_degrees", "shift_pixels")]
    lines += ["fit.optimizer=sgd,adam,adamw,rmsprop", "fit.momentum=0.5..0.9 if fit.optimizer=sgd,rmsprop"]
    lines += ["model.name=cnn,mlp", "model.convolutions=1..3", "model.dropout=0..0.5", "fit.batch_size=16,32,64"]
    parameters = parse(*lines)
    rows = boundary_configs.boundary_configs(parameters)
    assert len(rows) < boundary_configs.MAX_COMBINATIONS
    names = [one.name for one in parameters]
    seen = {pair for row in rows for pair in itertools.combinations(sorted(row.items()), 2)}
    bounds = {one.name: boundary_configs._bounds(one) for one in parameters}
    for one, other in itertools.combinations(sorted(names), 2):
        for pair in itertools.product(bounds[one], bounds[other]):
            row = dict(zip((one, other), pair, strict=True))
            without_momentum = row.get("fit.optimizer") in ("adam", "adamw") and "fit.momentum" in row
            without_convolutions = row.get("model.name") == "mlp" and "model.convolutions" in row
            assert without_momentum or without_convolutions or tuple(sorted(row.items())) in seen, row


@pytest.mark.parametrize(
    ("line", "message", "networks"),
    [
        ("fit.learning_rate=-1..1", "fit.learning_rate -1.0: .*above 0", []),  # when the flags are parsed
        ("model.name=cnn,lstm", "model.name lstm: .*lstm", [2]),  # when the network is built
    ],
)
def test_configurations_that_cannot_be_trained_are_refused(line, message, networks):
    built = []
    with pytest.raises(UserError, match=f"holds a configuration that cannot be trained, {message}") as caught:
        boundary_configs.check(parse(line), ["digits"], built.append)
    assert "\n" not in str(caught.value)
    assert built == networks


def test_an_error_in_the_data_does_not_blame_the_space(tmp_path):
    (tmp_path / "cats").mkdir()
    words = ["digits", "--data.name", "folder", "--data.path", str(tmp_path)]
    with pytest.raises(UserError, match=f"^(?!The space).*{tmp_path.name}"):
        boundary_configs.check(parse("model.width=8..16"), words, lambda _: None)


@pytest.mark.slow
def test_equal_networks_are_built_once():
    built = []
    boundary_configs.check(parse("fit.learning_rate=1e-4..1e-2:log", "model.width=8..9"), ["digits"], built.append)
    assert built == [3]  # 8, 9, and the configuration that the sweep starts from
