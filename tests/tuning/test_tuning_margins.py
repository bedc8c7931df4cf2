"""What the winner of a sweep is worth, told apart from chance; and a whole sweep of real trainings."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.runs.run import Run
from tuning import margins, sweep
from tuning.objectives import Objective
from tuning.results import DEFAULT, Results, Trial

RIGHT = np.array([1] * 80 + [0] * 20)


def accuracy(right):
    return PerExampleScores("accuracy", right, np.ones(len(right), int))


def test_examples_count_for_both():
    """The same examples are hard for both, so that a small difference can be sure."""
    better = RIGHT.copy()
    better[80:85] = 1
    found = margins.margin(accuracy(better), accuracy(RIGHT))
    assert (found["best"], found["default"], found["examples"]) == (0.85, 0.8, 100)
    assert found["margin"] == pytest.approx(0.05)
    low, high = found["interval"]
    assert 0 < low < 0.05 < high < 0.11
    apart = margins.margin(accuracy(np.roll(better, 50)), accuracy(RIGHT))
    assert apart["margin"] == pytest.approx(0.05)
    assert apart["interval"][0] < 0


def test_error_rates_weigh_words():
    best = PerExampleScores("wer", np.array([0, 5]), np.array([10, 10]))
    default = PerExampleScores("wer", np.array([1, 5]), np.array([10, 10]))
    found = margins.margin(best, default)
    assert (found["best"], found["default"]) == (0.25, 0.3)
    assert found["margin"] == pytest.approx(-0.05)
    assert margins.margin(best) == {"measure": "wer", "examples": 2, "best": 0.25}


def results(label="3"):
    trials = (Trial(label, "done", {}, {"accuracy": 0.9}),)
    return Results((), (Objective("accuracy"),), (), trials, Trial(DEFAULT, "done", {}, {"accuracy": 0.8}))


def record(folder, test, looks=1):
    validation = margins.margin(accuracy(RIGHT), accuracy(RIGHT))
    told = {"validation": validation, "test": test, "scores": {"3": {"accuracy": 0.9, "loss": 0.1}}}
    Run(folder).write_json(margins.FILE, {"trial": "3", "looks": looks, **told})
    return margins.sentences(Run(folder), results())


@pytest.mark.parametrize(
    ("margin", "interval", "measure", "said"),
    [
        (0.1, [0.05, 0.15], "accuracy", "supports that the best trial beats the default"),
        (0.1, [-0.05, 0.25], "accuracy", "does not support"),
        (-0.1, [-0.2, -0.05], "accuracy", "is worse than the default"),
        (-0.1, [-0.2, -0.05], "wer", "supports that"),
        (0.1, [0.05, 0.2], "wer", "is worse"),
    ],
)
def test_what_the_test_split_says(tmp_path, margin, interval, measure, said):
    test = {"measure": measure, "examples": 50, "best": 0.9, "default": 0.9 - margin}
    told = record(tmp_path, {**test, "margin": margin, "interval": interval})
    assert "flatters" in told[0]
    assert f"{100 * margin:+.2f} points (95 % interval {100 * interval[0]:+.2f}" in told[1]
    assert said in told[2]
    assert len(told) == 3


def test_the_margin_is_told_in_the_unit_of_the_objective(tmp_path):
    test = {"measure": "loss", "examples": 50, "best": 0.0123, "default": 0.02, "margin": -0.0077}
    told = record(tmp_path, {**test, "interval": [-0.01, -0.004]})
    said = "loss 0.0123 of trial 3, 0.02 of the default, -0.0077 (95 % interval -0.01 to -0.004, 50 examples)"
    assert told[1:] == (f"test: {said}.", "The test split supports that the best trial beats the default.")


@pytest.mark.parametrize(("score", "status", "said"), [(0.95, "done", 1), (0.9, "done", 1), (0.95, "infeasible", 0)])
def test_a_default_that_nothing_beats_is_to_be_kept(tmp_path, score, status, said):
    found = dataclasses.replace(results(), default=Trial(DEFAULT, status, {}, {"accuracy": score}))
    told = margins.sentences(Run(tmp_path), found)
    assert len(told) == said
    assert all("No trial beats the default and its validation accuracy 9" in sentence for sentence in told)


def test_nothing_is_said_of_another_trial(tmp_path):
    assert len(record(tmp_path, {"measure": "accuracy", "examples": 50, "best": 0.9}, looks=2)) == 3
    assert margins.sentences(Run(tmp_path), results("4")) == ()
    assert margins.tested(Run(tmp_path)) == {"3": {"accuracy": 0.9, "loss": 0.1}}
    (tmp_path / margins.FILE).unlink()
    assert margins.sentences(Run(tmp_path), results()) == ()
    assert margins.tested(Run(tmp_path)) == {}


@pytest.mark.slow
def test_a_sweep_of_real_trainings(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["digits", "--model.name", "mlp", "--model.width", "8", "--fit.epochs", "2", "--run", "mine"]
    words += ["--set", "fit.learning_rate=1e-4..1e-1:log", "--set", "model.depth=1..2", "--trials", "3"]
    costs = ["--objective", "accuracy", "latency_ms", "export_mb", "--constraint", "parameters<100000"]
    assert sweep.main([*words, *costs, "--workers", "2", "--final", "--seeds", "0", "1"]) == 0
    printed = capsys.readouterr().out
    winner = json.loads(pathlib.Path("mine/winner.json").read_text())
    tested = [
        path.name for path in pathlib.Path("mine/trials").iterdir() if "test" in Run(path).read_json("metrics.json")
    ]
    assert sorted(tested) == sorted([winner["trial"], DEFAULT])
    assert winner["test"]["examples"] == 360
    assert winner["test"]["measure"] == "accuracy"
    assert set(winner["scores"][DEFAULT]) >= {"accuracy", "macro_f1", "loss"}
    assert "The best was chosen by these examples" in printed
    page = pathlib.Path("mine/report.html").read_text()
    assert "Pareto" in page
    assert "test split" in page
    for seed in (0, 1):
        config = Run(f"mine/final/runs/winner-{seed}").read_json("config.json")
        assert config["data"]["train_on_validation"]
        assert config["seed"] == seed
    assert pathlib.Path("saved_models/mine/1/saved_model.pb").is_file()
    assert "winner" in pathlib.Path("mine/final/final.csv").read_text()
    looked = pathlib.Path("mine/winner.json").stat().st_mtime_ns
    assert sweep.main(["--run", "mine", "--resume"]) == 0
    assert pathlib.Path("mine/winner.json").stat().st_mtime_ns == looked
