"""The best trial compared with the default, with intervals; and a whole sweep of real trainings."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.runs.run import Run
from tuning import command
from tuning.execution import comparison
from tuning.objectives import Objective
from tuning.report.results import DEFAULT, Results, Trial

RIGHT = np.array([1] * 80 + [0] * 20)


def accuracy(right):
    return PerExampleScores("accuracy", right, np.ones(len(right), int))


def test_the_interval_is_that_of_paired_examples():
    """The same examples are hard for both, so that a small difference can be significant."""
    better = RIGHT.copy()
    better[80:85] = 1
    found = comparison.compare(accuracy(better), accuracy(RIGHT))
    assert (found["best"], found["default"], found["examples"]) == (0.85, 0.8, 100)
    assert found["margin"] == pytest.approx(0.05)
    low, high = found["interval"]
    assert 0 < low < 0.05 < high < 0.11
    apart = comparison.compare(accuracy(np.roll(better, 50)), accuracy(RIGHT))
    assert apart["margin"] == pytest.approx(0.05)
    assert apart["interval"][0] < 0


def test_error_rates_are_weighted_by_words():
    best = PerExampleScores("wer", np.array([0, 5]), np.array([10, 10]))
    default = PerExampleScores("wer", np.array([1, 5]), np.array([10, 10]))
    found = comparison.compare(best, default)
    assert (found["best"], found["default"]) == (0.25, 0.3)
    assert found["margin"] == pytest.approx(-0.05)
    assert comparison.compare(best) == {"score": "wer", "examples": 2, "best": 0.25}


def results(label="3"):
    trials = (Trial(label, "done", {}, {"accuracy": 0.9}),)
    return Results((), (Objective("accuracy"),), (), trials, Trial(DEFAULT, "done", {}, {"accuracy": 0.8}))


def sentences(folder, test, evaluations=1):
    """What is reported for a record of the test split."""
    validation = comparison.compare(accuracy(RIGHT), accuracy(RIGHT))
    record = {"trial": "3", "test_evaluations": evaluations, "validation": validation, "test": test}
    record["scores"] = {"3": {"accuracy": 0.9, "loss": 0.1}}
    Run(folder).write_json(comparison.FILE, record)
    return comparison.sentences(Run(folder), results())


@pytest.mark.parametrize(
    ("margin", "interval", "score", "verdict"),
    [
        (0.1, [0.05, 0.15], "accuracy", "supports that the best trial beats the default"),
        (0.1, [-0.05, 0.25], "accuracy", "does not support"),
        (-0.1, [-0.2, -0.05], "accuracy", "is worse than the default"),
        (-0.1, [-0.2, -0.05], "wer", "supports that"),
        (0.1, [0.05, 0.2], "wer", "is worse"),
    ],
)
def test_the_verdict_of_the_test_split(tmp_path, margin, interval, score, verdict):
    test = {"score": score, "examples": 50, "best": 0.9, "default": 0.9 - margin}
    lines = sentences(tmp_path, {**test, "margin": margin, "interval": interval})
    assert "optimistic" in lines[0]
    assert f"{100 * margin:+.2f} points (95 % interval {100 * interval[0]:+.2f}" in lines[1]
    assert verdict in lines[2]
    assert len(lines) == 3


def test_the_margin_has_the_unit_of_the_objective(tmp_path):
    test = {"score": "loss", "examples": 50, "best": 0.0123, "default": 0.02, "margin": -0.0077}
    lines = sentences(tmp_path, {**test, "interval": [-0.01, -0.004]})
    test_line = "loss 0.0123 of trial 3, 0.02 of the default, -0.0077 (95 % interval -0.01 to -0.004, 50 examples)"
    assert lines[1:] == (f"test: {test_line}.", "The test split supports that the best trial beats the default.")


@pytest.mark.parametrize(("score", "status", "count"), [(0.95, "done", 1), (0.9, "done", 1), (0.95, "infeasible", 0)])
def test_a_default_that_no_trial_beats_should_be_kept(tmp_path, score, status, count):
    unbeaten = dataclasses.replace(results(), default=Trial(DEFAULT, status, {}, {"accuracy": score}))
    lines = comparison.sentences(Run(tmp_path), unbeaten)
    assert len(lines) == count
    assert all("No trial beats the default and its validation accuracy 9" in line for line in lines)


def test_a_record_of_another_trial_is_ignored(tmp_path):
    assert len(sentences(tmp_path, {"score": "accuracy", "examples": 50, "best": 0.9}, evaluations=2)) == 3
    assert comparison.sentences(Run(tmp_path), results("4")) == ()
    assert comparison.read_test_scores(Run(tmp_path)) == {"3": {"accuracy": 0.9, "loss": 0.1}}
    (tmp_path / comparison.FILE).unlink()
    assert comparison.sentences(Run(tmp_path), results()) == ()
    assert comparison.read_test_scores(Run(tmp_path)) == {}


@pytest.mark.slow
def test_a_sweep_of_real_trainings(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["digits", "--model.name", "mlp", "--model.width", "8", "--fit.epochs", "2", "--run", "mine"]
    words += ["--set", "fit.learning_rate=1e-4..1e-1:log", "--set", "model.depth=1..2", "--trials", "3"]
    costs = ["--objective", "accuracy", "latency_ms", "export_mb", "--constraint", "parameters<100000"]
    assert command.main([*words, *costs, "--workers", "2", "--final", "--seeds", "0", "1"]) == 0
    printed = capsys.readouterr().out
    winner = json.loads(pathlib.Path("mine/winner.json").read_text())
    tested = [
        path.name for path in pathlib.Path("mine/trials").iterdir() if "test" in Run(path).read_json("metrics.json")
    ]
    assert sorted(tested) == sorted([winner["trial"], DEFAULT])
    assert winner["test"]["examples"] == 360
    assert winner["test"]["score"] == "accuracy"
    assert set(winner["scores"][DEFAULT]) >= {"accuracy", "macro_f1", "loss"}
    assert "The best trial was selected on these examples" in printed
    page = pathlib.Path("mine/report.html").read_text()
    assert "Pareto" in page
    assert "test split" in page
    for seed in (0, 1):
        config = Run(f"mine/final/runs/winner-{seed}").read_json("config.json")
        assert config["data"]["train_on_validation"]
        assert config["seed"] == seed
    assert pathlib.Path("saved_models/mine/1/saved_model.pb").is_file()
    assert "winner" in pathlib.Path("mine/final/final.csv").read_text()
    written = pathlib.Path("mine/winner.json").stat().st_mtime_ns
    assert command.main(["--run", "mine", "--resume"]) == 0
    assert pathlib.Path("mine/winner.json").stat().st_mtime_ns == written
