"""Spaces are tried at their corners before the first trial."""

import itertools

import pytest

from pipelines.errors import UserError
from tfrec.config import experiments
from tuning import corners, grammar


def parse(*lines):
    return grammar.parse(lines, experiments.find("digits")())


def values(*lines):
    """Corners as tuples of values."""
    return [tuple(row.values()) for row in corners.corners(parse(*lines))]


def test_a_small_space_has_all_of_them():
    found = values("model.width=16..64", "fit.optimizer=sgd,adamw")
    assert sorted(found) == sorted(itertools.product((16, 17, 64), ("sgd", "adamw")))  # 17: a width that is odd
    assert values("model.dropout=0..0.5") == [(0,), (0.5,)]


def test_what_does_not_count_stands_in_none():
    found = corners.corners(parse("fit.optimizer=sgd,adamw", "fit.momentum=0.5..0.9 if fit.optimizer=sgd"))
    assert [set(row) for row in found] == [{"fit.optimizer", "fit.momentum"}] * 2 + [{"fit.optimizer"}]


def test_of_a_large_space_every_pair_that_can_stand_together_does():
    lines = [f"frontend.{name}=0..9" for name in ("rotation_degrees", "shear_degrees", "shift_pixels")]
    lines += ["fit.optimizer=sgd,adam,adamw,rmsprop", "fit.momentum=0.5..0.9 if fit.optimizer=sgd,rmsprop"]
    lines += ["model.name=cnn,mlp", "model.convolutions=1..3", "model.dropout=0..0.5", "fit.batch_size=16,32,64"]
    parameters = parse(*lines)
    found = corners.corners(parameters)
    assert len(found) < corners.ALL
    names = [one.name for one in parameters]
    seen = {pair for row in found for pair in itertools.combinations(sorted(row.items()), 2)}
    ends = {one.name: corners._ends(one) for one in parameters}
    for one, other in itertools.combinations(sorted(names), 2):
        for pair in itertools.product(ends[one], ends[other]):
            row = dict(zip((one, other), pair, strict=True))
            without_momentum = row.get("fit.optimizer") in ("adam", "adamw") and "fit.momentum" in row
            without_convolutions = row.get("model.name") == "mlp" and "model.convolutions" in row
            assert without_momentum or without_convolutions or tuple(sorted(row.items())) in seen, row


@pytest.mark.parametrize(
    ("line", "said", "networks"),
    [
        ("fit.learning_rate=-1..1", "fit.learning_rate -1.0: .*above 0", []),  # when its flags are read
        ("model.name=cnn,lstm", "model.name lstm: .*lstm", [2]),  # when its network is built
    ],
)
def test_impossible_ones_are_refused(line, said, networks):
    built = []
    with pytest.raises(UserError, match=f"The space holds what is impossible, {said}") as caught:
        corners.check(parse(line), ["digits"], built.append)
    assert "\n" not in str(caught.value)
    assert built == networks


def test_what_is_wrong_with_the_data_is_not_said_of_the_space(tmp_path):
    (tmp_path / "cats").mkdir()
    words = ["digits", "--data.name", "folder", "--data.path", str(tmp_path)]
    with pytest.raises(UserError, match=f"^(?!The space).*{tmp_path.name}"):
        corners.check(parse("model.width=8..16"), words, lambda _: None)


def test_equal_networks_are_built_once():
    built = []
    corners.check(parse("fit.learning_rate=1e-4..1e-2:log", "model.width=8..9"), ["digits"], built.append)
    assert built == [3]  # 8, 9, and what the sweep starts from
