"""The study of training against the worst speaker."""

import json

import numpy as np
import pytest

from tfrec.studies import groups


@pytest.fixture
def noise(tmp_path):
    for name in ("crowd", "wind"):
        (tmp_path / "NOISES" / name).mkdir(parents=True)
        (tmp_path / "NOISES" / name / "0.wav").touch()
    return str(tmp_path / "NOISES")


def test_both_trainings_of_a_seed_differ_in_the_weights_alone(noise, tmp_path):
    steps = groups.steps(groups.Options(noise=noise, seeds=(0, 5)), ["--fit.epochs", "2"], tmp_path)
    assert [(step.label, step.row) for step in steps] == [
        ("average-0", groups.AVERAGE),
        ("worst-0", groups.WORST),
        ("average-5", groups.AVERAGE),
        ("worst-5", groups.WORST),
    ]
    usual, robust = steps[0].words, steps[1].words
    assert [word for word in robust if word not in usual] == ["--task.group_weights", "worst"]
    assert steps[0].measures == steps[1].measures


def test_the_table_compares_the_same_clips(noise, tmp_path):
    """Of 40 clips of each speaker, 16 answers each, "b" is worst; it halves its errors, "a" gets a few."""
    steps = groups.steps(groups.Options(noise=noise, seeds=(0, 1)), [], tmp_path)
    for step in steps:
        is_robust = step.row == groups.WORST
        right = np.array([15 if is_robust else 16] * 40 + [12 if is_robust else 8] * 40)
        clips = {"counts": right.tolist(), "sizes": [16] * 80, "groups": ["a"] * 40 + ["b"] * 40}
        folder = tmp_path / "runs" / step.label / "noise"
        folder.mkdir(parents=True)
        (folder / "noise.json").write_text(json.dumps({"groups": {"speaker": {"0": {"clips": clips}}}}))
    (table,) = groups.tables(tmp_path, steps)
    assert table.lines == [(groups.AVERAGE, "0.0", "50.0", "25.0"), (groups.WORST, "6.2", "25.0", "15.6")]
    assert "worst speaker, b, with 1,280 answers, has 50 % fewer errors" in table.title
    assert "all errors change by -9.4 points" in table.title


def test_the_difference_is_paired():
    """Clips that differ much from each other, but between the trainings by the same."""
    errors = np.tile([0, 2, 10, 16], 25)
    usual = (errors, np.full(100, 16), np.array(["a"] * 100))
    robust = (errors // 2, *usual[1:])
    found = groups.difference(usual, robust, "a")
    assert found["relative"] == pytest.approx(-0.5)
    assert found["relative_interval"] == pytest.approx([-0.5, -0.5])
    low, high = found["change_interval"]
    assert found["change"] == pytest.approx(-3.5 / 16)
    assert low < found["change"] < high
