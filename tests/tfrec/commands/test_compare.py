"""`python -m tfrec compare` as a user types it, on digits, and user errors."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.tfrec.user_errors import files
from tfrec.commands import compare, evaluate
from tfrec.runs.run import Run
from tfrec.utils.console import run as run_entry

ROOT = pathlib.Path(__file__).parents[3]
MODELS = ["--models", "mlp:width=8,cnn:width=4,depth=1"]


def start(folder, *words):
    """Starts `python -m tfrec compare` in a folder, with output that is not buffered."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP", "KERAS"))}
    return subprocess.Popen(
        [sys.executable, "-m", "tfrec", "compare", *map(str, words)],
        cwd=folder,
        env={**quiet, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_models(tmp_path, monkeypatch, capsys):
    process = start(tmp_path, *MODELS, "--budget-minutes", "0.02", "--fit.batch_size", "256")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    for part in (
        "mlp: 682 parameters",
        "Training cnn (2 of 2).",
        "0 of 2 models; running mlp",
        "--report runs/compare-digits --resume",
        "compare-digits/report.md",
    ):
        assert part in out
    report = tmp_path / "runs" / "compare-digits"
    for row in csv.DictReader((report / "table.csv").open()):
        assert row["status"] == "done"
        assert (
            0 <= float(row["test_accuracy_low"]) <= float(row["test_accuracy"]) <= float(row["test_accuracy_high"]) <= 1
        )
        assert 200 < float(row["peak_megabytes"]) < 4000
        assert 0.02 <= float(row["minutes"]) < 2
        assert int(row["epochs"]) >= 1
        assert float(row["latency_ms"]) > 0
        assert int(row["parameters"]) == {"mlp": 682, "cnn": 246}[row["model"]]
        run = report / "runs" / row["model"]
        config = json.loads((run / "config.json").read_text())
        assert (config["fit"]["batch_size"], config["fit"]["budget_minutes"]) == (256, 0.02)
        test = json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
        assert float(row["test_accuracy"]) == test
    assert "width=4, depth=1" in (report / "report.md").read_text()
    for name in ("accuracy.png", "time.png", "curves.png"):
        assert name in (report / "report.md").read_text()
        with Image.open(report / name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    assert not (tmp_path / "saved_models").exists()
    monkeypatch.chdir(tmp_path)
    assert evaluate.main(["runs/compare-digits/runs/cnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["accuracy"] == test


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_resumed(tmp_path, end):
    """At the interruption one model has finished, one has failed, one is training."""
    diverging = "cnn:fit.learning_rate=1e30,fit.optimizer=sgd,fit.schedule=constant"
    words = ["--models", f"mlp,{diverging},cnn:width=4", "--budget-minutes", "0.5", "--report", "mine"]
    process, report = start(tmp_path, *words), tmp_path / "mine"
    try:
        while not Run(report / "runs" / "cnn-2").read_history():
            assert process.poll() is None
            time.sleep(0.2)
        process.send_signal(end)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (130 if end == signal.SIGINT else -9)
    assert "cnn failed: " in out
    time.sleep(1)
    epochs, finished = len(Run(report / "runs" / "cnn-2").read_history()), files(report / "runs" / "mlp")
    process = start(tmp_path, "--report", "mine", "--resume")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (1, "")
    assert files(report / "runs" / "mlp") == finished
    history = Run(report / "runs" / "cnn-2").read_history()
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
    assert len(history) > epochs
    results = Run(report).read_json("comparison.json")["results"]
    assert [results[label]["status"] for label in ("mlp", "cnn", "cnn-2")] == ["done", "failed", "done"]
    assert 0.5 <= results["cnn-2"]["minutes"] < 0.8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name the models"),
        (["--models", "cnnn"], "did you mean 'cnn'"),
        (["minst", "--models", "cnn"], "did you mean 'mnist'"),
        (["--model", "cnn"], "Unknown flag '--model': did you mean '--models'"),
        (["--models", "cnn", "--fit.epoch", "3"], "did you mean '--fit.epochs'"),
        (["--models", "cnn", "--budget-minutes", "0"], "budget_minutes must be above 0. Received: 0"),
        (["--models", "cnn", "--budget_minutes", "soon"], "budget_minutes must be a number. Received: 'soon'"),
        (["--models", "cnn", "--run", "mine"], "leave out --run"),
        (["--models", "cnn", "--model.name", "mlp"], "leave out --model.name"),
        (["--models", "cnn", "--fit.budget_minutes=3"], "given by --budget-minutes"),
        (["--models", "cnn", "--resume"], "--resume needs --report"),
        (["--report", "nowhere", "--resume"], "nowhere is not a report that can be resumed"),
    ],
)
def test_user_errors_show_before_anything_is_trained(fails, words, message):
    assert message in fails(compare, *words)


def test_settings_that_do_not_fit_show_before_anything_is_trained(fails):
    assert "lstm: model.name 'lstm' takes sequence features" in fails(compare, "--models", "cnn:width=4,lstm")


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        run_entry(lambda: compare.main(["--help"]))
    assert not stop.value.code
    text = capsys.readouterr().out
    for part in ("python -m tfrec compare", "--budget-minutes", "NAME:SETTING=VALUE", "--resume"):
        assert part in text.replace("budget_minutes", "budget-minutes")
