"""What a comparison trains, in which order, and how it resumes; a small program replaces the trainings."""

import fcntl
import logging
import os
import pathlib
import sys
import time

import pytest

from tfrec.commands import compare
from tfrec.reports import comparison_plots
from tfrec.runs.run import Run
from tfrec.studies import fit_process, model_costs
from tfrec.studies.comparison import Comparison, _Display
from tfrec.utils.progress import Progress
from tfrec.utils.scheduler import Job, Scheduler

# Replaces `tfrec.fit`: writes a run at once; cnn-2 and cnn-3 fail, cnn takes long where a file `stop` exists.
FIT = """
import json, os, pathlib, sys, time
run = pathlib.Path(sys.argv[sys.argv.index("--run") + 1])
with open("calls", "a") as file:
    file.write(run.name + (" resumed" if "--resume" in sys.argv else "") + "\\n")
if run.name == "cnn-2":
    sys.exit("error: The loss is NaN.")
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
    """A function from words to (exit status, labels whose training was started, comparison.json)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(FIT)
    monkeypatch.setattr(fit_process, "COMMAND", (sys.executable, "fit.py"))
    monkeypatch.setattr(model_costs, "measure_costs", lambda configs, on_cost: dict.fromkeys(configs, COST))
    for picture in ("accuracies", "times", "curves"):  # slow, and tested elsewhere
        monkeypatch.setattr(comparison_plots, picture, lambda rows, path: None)

    def train(*words):
        pathlib.Path("calls").write_text("")
        status = compare.main(list(words))
        record = Comparison.open("mine").record
        return status, pathlib.Path("calls").read_text().splitlines(), record

    return train


def interrupt(progress, *_):
    """Replaces `Progress.update`: Ctrl-C as soon as the run has an epoch."""
    if pathlib.Path("mine/runs/cnn/state/state.json").is_file():
        raise KeyboardInterrupt


WORDS = ["--models", "mlp,cnn", "--budget-minutes", "0.1", "--report", "mine"]


def test_models_are_trained_in_order(train):
    status, started, record = train(*WORDS)
    assert (status, started) == (0, ["mlp", "cnn"])
    assert [result["status"] for result in record["results"].values()] == ["done", "done"]
    assert all(result["peak_bytes"] > 1e6 for result in record["results"].values())
    assert "| cnn | 50.00 |" in pathlib.Path("mine/report.md").read_text()
    assert train("--report", "mine", "--resume")[:2] == (0, [])  # all have finished


def test_a_failing_model_does_not_stop_the_others(train, caplog):
    caplog.set_level(logging.INFO)
    status, started, record = train("--models", "cnn,cnn,mlp,cnn", *WORDS[2:])
    assert (status, started) == (1, ["cnn", "cnn-2", "mlp", "cnn-3"])
    reasons = [record["results"][label].get("reason") for label in ("cnn", "cnn-2", "mlp", "cnn-3")]
    assert reasons[0] is reasons[2] is None
    assert reasons[1] == "The loss is NaN."
    assert "memory" in reasons[3]
    assert "- cnn-2: The loss is NaN." in pathlib.Path("mine/report.md").read_text()
    assert "cnn-2 failed: The loss is NaN." in caplog.messages
    assert train("--report", "mine", "--resume")[:2] == (1, ["cnn-2", "cnn-3"])  # failed models are trained again


def test_an_interrupted_model_is_resumed_and_a_finished_one_is_not_trained_again(train, monkeypatch, capsys):
    pathlib.Path("stop").touch()
    update = Progress.update
    monkeypatch.setattr(Progress, "update", interrupt)
    status, started, record = train(*WORDS)
    assert (status, started, list(record["results"])) == (130, ["mlp", "cnn"], ["mlp"])
    assert capsys.readouterr().err == (
        "error: Interrupted; resume with: python -m tfrec compare --report mine --resume.\n"
    )
    assert "1 of 2 are trained by now; cnn wait" in pathlib.Path("mine/report.md").read_text()
    assert "KeyboardInterrupt" in pathlib.Path("mine/logs/cnn.txt").read_text()  # it was interrupted, and has ended

    pathlib.Path("stop").unlink()
    monkeypatch.setattr(Progress, "update", update)
    before = pathlib.Path("mine/runs/mlp/metrics.json").stat().st_mtime_ns
    status, started, record = train("--report", "mine", "--resume")
    assert (status, started) == (0, ["cnn resumed"])
    assert record["results"]["cnn"]["epochs"] == 2
    assert pathlib.Path("mine/runs/mlp/metrics.json").stat().st_mtime_ns == before
    assert len(record["sessions"]) == 2


def test_a_finished_run_that_is_not_recorded_is_found(train):
    _, _, record = train(*WORDS)
    folder = Run("mine")
    folder.write_json("comparison.json", {**record, "results": {}})
    status, started, record = train("--report", "mine", "--resume")
    assert (status, started, list(record["results"])) == (0, [], ["mlp", "cnn"])


def test_a_run_without_a_finished_epoch_starts_from_scratch(train):
    _, _, record = train(*WORDS)
    Run("mine").write_json("comparison.json", {**record, "results": {}})
    for name in ("metrics.json", "state/state.json"):
        pathlib.Path("mine/runs/cnn", name).unlink()
    assert train("--report", "mine", "--resume")[:2] == (0, ["cnn"])


def test_resuming_with_the_same_command_or_only_the_report(train, fails):
    train(*WORDS)
    assert train(*WORDS, "--resume")[:2] == (0, [])
    assert "already exists and is not empty" in fails(compare, *WORDS)
    assert "other models or flags" in fails(compare, *WORDS, "--resume", "--fit.batch_size", "3")
    assert "other models or flags" in fails(compare, "--models", "mlp", *WORDS[2:], "--resume")
    assert "leave out all but --report" in fails(compare, "--report", "mine", "--resume", "--budget-minutes", "3")
    folder = os.open("mine", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert "Another process is using mine" in fails(compare, "--report", "mine", "--resume")
    os.close(folder)
    pathlib.Path("mine/comparison.json").write_text("{}")
    assert "comparison.json is damaged" in fails(compare, "--report", "mine", "--resume")


def test_the_default_report_is_the_first_free_folder(train, monkeypatch):
    for name in ("compare-digits", "compare-digits-2"):
        assert compare.main(WORDS[:4]) == 0
        assert pathlib.Path("runs", name, "report.md").is_file()


def test_progress_line(train):
    train(*WORDS)
    comparison, run = Comparison.open("mine"), Run("mine/runs/mlp")
    del comparison.record["results"]["mlp"]
    scheduler, progress = Scheduler(), Progress("models", 2)
    scheduler.running[0] = Job("mlp", lambda _: None)
    display, lines = _Display(comparison, scheduler, progress), []
    progress.update = lambda *arguments: lines.append(progress.line(*arguments))
    for seconds, phase in ((3.3, "epoch 2"), (60, "evaluation")):
        state = {**run.read_json("state/state.json"), "seconds": seconds}
        run.write_json("state/state.json", state)
        display.starts["mlp"] = time.time()
        display.update()
        counted, running, best, left = lines.pop().split("; ")
        assert counted == "1 of 2 models"
        assert running == f"running mlp (0.1 of 0.1 min, {phase}, validation accuracy 50.00%)"
        assert best == "best cnn with validation accuracy 50.00%"
        assert left == {"epoch 2": "about 3 s left", "evaluation": "about 0 s left"}[phase]
