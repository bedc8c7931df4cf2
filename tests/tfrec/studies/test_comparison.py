"""What a comparison trains, in which order, and what it does when something ends it; with trainings that are none."""

import fcntl
import os
import pathlib
import sys

import pytest

from tfrec.commands import compare
from tfrec.reports import comparison_plots
from tfrec.studies import comparison as comparing
from tfrec.studies import model_costs
from tfrec.utils import processes
from tfrec.utils.processes import Process

# Plays `tfrec.fit`: a run in no time, or what happens to the run of that name at its first start or at all of them.
FIT = """
import json, os, pathlib, sys, time
run = pathlib.Path(sys.argv[sys.argv.index("--run") + 1])
with open("calls", "a") as file:
    file.write(run.name + (" again" if "--resume" in sys.argv else "") + "\\n")
if run.name == "cnn-2":
    sys.exit("error: The loss was no finite number.")
if run.name == "cnn-3":
    os.kill(os.getpid(), 9)
(run / "state").mkdir(parents=True, exist_ok=True)
(run / "config.json").write_text("{}")
epochs = 2 if "--resume" in sys.argv else 1
history = [{"epoch": i, "loss": 1.0, "val_accuracy": 0.5, "minutes": 0.01} for i in range(epochs)]
(run / "state" / "state.json").write_text(json.dumps({"history": history, "seconds": 3.0}))
if pathlib.Path("stop").exists() and run.name == "cnn":
    time.sleep(60)
scores = {"accuracy": 0.5, "accuracy_interval": [0.4, 0.6]}
(run / "metrics.json").write_text(json.dumps({"test": scores, "validation": scores, "fit_seconds": 1}))
"""
COST = {"parameters": 10, "multiply_adds": 9, "latency_ms": 0.1, "features": [8, 8, 1], "classes": 10, "examples": {}}
COST["examples"] = {"train": 3, "validation": 2, "test": 1}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A function from words to (status, labels whose training was started, comparison.json)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(FIT)
    monkeypatch.setattr(processes, "FIT", (sys.executable, "fit.py"))
    monkeypatch.setattr(model_costs, "costs", lambda configs, tell: dict.fromkeys(configs, COST))
    for picture in ("accuracies", "times", "curves"):  # seconds to draw, and tested elsewhere
        monkeypatch.setattr(comparison_plots, picture, lambda rows, path: None)

    def train(*words):
        pathlib.Path("calls").write_text("")
        status = compare.main(list(words))
        record = comparing.Comparison.open("mine").record
        return status, pathlib.Path("calls").read_text().splitlines(), record

    return train


def interrupt(process, seconds):
    """In place of `Process.wait`: Ctrl-C as soon as the run has an epoch."""
    if pathlib.Path("mine/runs/cnn/state/state.json").is_file():
        raise KeyboardInterrupt
    return wait(process, seconds)


wait = Process.wait
WORDS = ["--models", "mlp,cnn", "--budget-minutes", "0.1", "--report", "mine"]


def test_one_after_the_other(train):
    status, started, record = train(*WORDS)
    assert (status, started) == (0, ["mlp", "cnn"])
    assert [result["status"] for result in record["results"].values()] == ["done", "done"]
    assert all(result["peak_bytes"] > 1e6 for result in record["results"].values())
    assert "| cnn | 50.00 |" in pathlib.Path("mine/report.md").read_text()
    assert train("--report", "mine", "--resume")[:2] == (0, [])  # nothing is left to do


def test_what_fails_costs_only_itself(train, capsys):
    status, started, record = train("--models", "cnn,cnn,mlp,cnn", *WORDS[2:])
    assert (status, started) == (1, ["cnn", "cnn-2", "mlp", "cnn-3"])
    reasons = [record["results"][label].get("reason") for label in ("cnn", "cnn-2", "mlp", "cnn-3")]
    assert reasons[0] is reasons[2] is None
    assert reasons[1] == "The loss was no finite number."
    assert "memory" in reasons[3]
    assert "- cnn-2: The loss was no finite number." in pathlib.Path("mine/report.md").read_text()
    assert "cnn-2 failed: The loss was no finite number." in capsys.readouterr().out
    assert train("--report", "mine", "--resume")[:2] == (1, ["cnn-2", "cnn-3"])  # might have been bad luck


def test_an_interrupted_model_goes_on_and_a_finished_one_rests(train, monkeypatch, capsys):
    pathlib.Path("stop").touch()
    monkeypatch.setattr(Process, "wait", interrupt)
    status, started, record = train(*WORDS)
    assert (status, started, list(record["results"])) == (130, ["mlp", "cnn"], ["mlp"])
    assert capsys.readouterr().err == (
        "error: Interrupted; go on with: python -m tfrec compare --report mine --resume.\n"
    )
    assert "1 of 2 are trained by now; cnn wait" in pathlib.Path("mine/report.md").read_text()
    assert "KeyboardInterrupt" in pathlib.Path("mine/logs/cnn.txt").read_text()  # it was told, and has ended

    pathlib.Path("stop").unlink()
    monkeypatch.setattr(Process, "wait", wait)
    before = pathlib.Path("mine/runs/mlp/metrics.json").stat().st_mtime_ns
    status, started, record = train("--report", "mine", "--resume")
    assert (status, started) == (0, ["cnn again"])
    assert record["results"]["cnn"]["epochs"] == 2
    assert pathlib.Path("mine/runs/mlp/metrics.json").stat().st_mtime_ns == before
    assert len(record["sessions"]) == 2


def test_a_finished_run_that_nobody_wrote_down_is_found(train):
    _, _, record = train(*WORDS)
    folder = comparing.Run("mine")
    folder.write_json("comparison.json", {**record, "results": {}})
    status, started, record = train("--report", "mine", "--resume")
    assert (status, started, list(record["results"])) == (0, [], ["mlp", "cnn"])


def test_a_run_that_finished_no_epoch_starts_anew(train):
    _, _, record = train(*WORDS)
    comparing.Run("mine").write_json("comparison.json", {**record, "results": {}})
    for name in ("metrics.json", "state/state.json"):
        pathlib.Path("mine/runs/cnn", name).unlink()
    assert train("--report", "mine", "--resume")[:2] == (0, ["cnn"])


def test_resuming_with_the_same_words_or_none(train, fails):
    train(*WORDS)
    assert train(*WORDS, "--resume")[:2] == (0, [])
    assert "already exists and is not empty" in fails(compare, *WORDS)
    assert "other models or flags" in fails(compare, *WORDS, "--resume", "--fit.batch_size", "3")
    assert "other models or flags" in fails(compare, "--models", "mlp", *WORDS[2:], "--resume")
    assert "leave out all but --report" in fails(compare, "--report", "mine", "--resume", "--budget-minutes", "3")
    folder = os.open("mine", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert "Another process is at work on mine" in fails(compare, "--report", "mine", "--resume")
    os.close(folder)
    pathlib.Path("mine/comparison.json").write_text("{}")
    assert "comparison.json is damaged" in fails(compare, "--report", "mine", "--resume")


def test_the_first_free_folder(train, monkeypatch):
    for name in ("compare-digits", "compare-digits-2"):
        assert compare.main(WORDS[:4]) == 0
        assert pathlib.Path("runs", name, "report.md").is_file()


def test_progress_tells_which_and_how_long(train):
    train(*WORDS)
    comparison, run = comparing.Comparison.open("mine"), comparing.Run("mine/runs/mlp")
    for seconds, now in ((3.3, "epoch 2"), (60, "being measured")):
        run.write_json("state/state.json", {**run.read_json("state/state.json"), "seconds": seconds})
        line = comparing._Progress(comparison, comparison.chosen)._line(run, 0.0)
        start, left = line.split("; about ")
        assert start == f"mlp (1 of 2): 0.1 of 0.1 min, {now}, validation accuracy 50.00% at best"
        assert 0.1 <= float(left.split(" ")[0]) <= 0.2  # the other's, and what is left of this one's
