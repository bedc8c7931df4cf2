"""Sweeps whose trainings are a small program: what is trained, kept, resumed, refused, reported."""

import csv
import json
import logging
import pathlib
import shutil
import sys
import time

import pytest

from pipelines.errors import UserError
from tests.tuning import fake_fit
from tfrec.config import flags
from tfrec.config.schema import Config
from tfrec.runs.run import Run
from tfrec.studies import fit_process, model_costs
from tfrec.utils import processes, scheduler
from tuning import command
from tuning.execution import comparison

RATE = "fit.learning_rate=1e-4..1e-2:log"


@pytest.fixture
def search(tmp_path, monkeypatch, caplog):
    """A function from arguments to sweep.json; it runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(fake_fit.FIT)
    monkeypatch.setattr(fit_process, "COMMAND", (sys.executable, "fit.py"))
    monkeypatch.setattr(model_costs, "try_build", lambda configs, *_, **__: dict.fromkeys(configs, fake_fit.COST))
    monkeypatch.setattr(comparison, "measure", lambda *_: None)
    monkeypatch.setattr(scheduler, "POLL_INTERVAL_S", 0.05)
    monkeypatch.setattr(processes, "POLL_INTERVAL_S", 0.05)
    caplog.set_level(logging.INFO, "tuning")

    def search(*words):
        command.main([*words])
        return json.loads(pathlib.Path("mine/sweep.json").read_text())

    return search


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_the_best_of_several_trials(search, tuner, caplog):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "6", "--workers", "2", "--tuner", tuner)
    assert sorted(fake_fit.started_runs()) == ["0", "1", "2", "3", "4", "5", "default"]
    trials = fake_fit.stored_trials()
    assert {status for status, _ in trials.values()} == {"COMPLETED"}
    best = max(trials, key=lambda label: trials[label][1]["accuracy"][0])
    stored = json.loads(pathlib.Path("mine/best.json").read_text())
    assert Config.from_dict(stored).fit.learning_rate == trials[best][1]["parameters"][0] / 1000
    assert stored["export"]["after_fit"]
    assert f"best {best} with validation accuracy" in caplog.text
    assert pathlib.Path("mine/report.html").stat().st_size > 10_000
    assert all("--no_test" in line for line in pathlib.Path("started").read_text().splitlines())


def test_a_grid_is_tried_completely_and_each_combination_once(search):
    rates = "fit.learning_rate=0.001,0.002,0.003"
    search("digits", "--run", "mine", "--set", rates, "--set", "model.depth=1..2", "--tuner", "grid")
    lines = [line.split("--run")[0].split(" ", 1)[1] for line in pathlib.Path("started").read_text().splitlines()[1:]]
    assert len(lines) == len(set(lines)) == 6


def test_hyperband_continues_the_best(search):
    search("digits", "--run", "mine", "--set", RATE, "--tuner", "hyperband", "--max-epochs", "4")
    folders = pathlib.Path("mine/trials").iterdir()
    lengths = {path.name: len(Run(path).read_history()) for path in folders if path.name != "default"}
    assert max(lengths.values()) == 4
    assert min(lengths.values()) < 4
    lines = pathlib.Path("started").read_text().splitlines()
    resumed = [line for line in lines if "--resume" in line]
    assert resumed
    assert all("--fit.epochs=4" in line or "--fit.epochs=2" in line for line in resumed)


def test_a_failure_costs_one_trial(search):
    values = "fit.optimizer=adam,sgd,rmsprop"
    search("digits", "--run", "mine", "--set", values, "--tuner", "grid")
    assert [status for status, _ in fake_fit.stored_trials().values()] == ["COMPLETED", "FAILED", "FAILED"]
    lines = pathlib.Path("mine/trials.csv").read_text()
    assert "The loss is NaN or infinite" in lines
    assert "memory runs out" in lines


def test_five_failures_in_a_row_end_the_sweep(search):
    words = ["--set", RATE, "--set", "fit.optimizer=sgd,rmsprop", "--trials", "12"]
    with pytest.raises(UserError, match="5 trials in a row failed, the last, 04, with: "):
        search("digits", "--run", "mine", *words)
    with pytest.raises(UserError, match="5 trials in a row failed, the last, 09, with: "):
        search("--run", "mine", "--resume")  # as if the cause had been fixed


def test_constraints_and_a_second_objective(search):
    words = ["--set", "fit.learning_rate=0.001,0.002,0.003", "--tuner", "grid", "--constraint", "accuracy>0.96"]
    search("digits", "--run", "mine", *words, "--objective", "loss", "accuracy")
    lines = list(csv.DictReader(pathlib.Path("mine/trials.csv").read_text().splitlines()))
    assert [line["status"] for line in lines] == ["done", "done", "done", "infeasible"]
    assert lines[-1]["reason"] == "accuracy is 0.952288, not accuracy>0.96."
    assert pathlib.Path("mine/front.png").is_file()


def test_unseen_speakers_as_the_objective(search):
    words = ["--set", "fit.learning_rate=0.001,0.003", "--tuner", "grid", "--objective", "unseen_speakers"]
    speakers = ["--data.split", "speaker", "--data.test_speakers", "theo", "--data.validation_speakers", "george"]
    search("spoken_digit", "--run", "mine", *words, *speakers)
    lines = list(csv.DictReader(pathlib.Path("mine/trials.csv").read_text().splitlines()))
    assert max(float(line["unseen_speakers"]) for line in lines) == 1
    assert "accuracy on the validation speakers" in pathlib.Path("mine/report.html").read_text()


def test_a_network_that_is_too_large_is_not_trained(search):
    words = ["--set", "model.depth=1..2", "--tuner", "grid", "--constraint", "parameters<5"]
    with pytest.raises(UserError, match=r"No trial has completed: see mine/report\.html for the reasons"):
        search("digits", "--run", "mine", *words)
    assert not pathlib.Path("started").exists()
    lines = list(csv.DictReader(pathlib.Path("mine/trials.csv").read_text().splitlines()))
    assert [line["reason"] for line in lines] == ["parameters is 10, not parameters<5."] * 3


def test_a_sweep_resumes_where_it_was(search):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "3", "--workers", "2")
    before = fake_fit.stored_trials()
    with pytest.raises(UserError, match="mine already exists and is not empty"):
        search("digits", "--run", "mine", "--set", RATE, "--trials", "5")
    with pytest.raises(UserError, match="cannot change: leave out --tuner"):
        search("--run", "mine", "--resume", "--tuner", "random")
    with pytest.raises(UserError, match="cannot change: leave out digits"):
        search("digits", "--run", "mine", "--resume")
    search("--run", "mine", "--resume", "--trials", "5")
    assert {label: fake_fit.stored_trials()[label] for label in before} == before
    assert sorted(fake_fit.started_runs()) == ["0", "1", "2", "3", "4", "default"]
    search("--run", "mine", "--resume")
    assert len(fake_fit.started_runs()) == 6


def test_the_time_limit(search, monkeypatch):
    monkeypatch.setenv("EPOCH_SECONDS", "0.3")
    started = time.monotonic()
    search("digits", "--run", "mine", "--set", RATE, "--hours", "0.0012")
    assert time.monotonic() - started < 30
    states = [status for status, _ in fake_fit.stored_trials().values()]
    assert "COMPLETED" in states
    monkeypatch.setenv("EPOCH_SECONDS", "0")
    search("--run", "mine", "--resume", "--trials", str(len(states)))
    assert {status for status, _ in fake_fit.stored_trials().values()} == {"COMPLETED"}


def test_a_worker_cannot_join_before_its_chief_starts(search):
    with pytest.raises(UserError, match=r"mine has no sweep\.json to join: start its chief first"):
        search("--run", "mine", "--role", "worker", "--oracle", "127.0.0.1:7777")


def test_the_resume_command_has_the_same_options(search):
    words = ["--set", RATE, "--hours", "0.5", "--workers", "2", "--trials", "2"]
    command = search("digits", "--run", "mine", *words)["command"]
    assert command == "python -m tuning.sweep --run mine --resume --workers=2 --hours=0.5"
    assert search("--run", "mine", "--resume", "--trials", "3")["options"]["trials"] == 3
    search("--run", "mine", "--resume")
    assert len(fake_fit.started_runs()) == 4


def test_a_sweep_that_only_hours_limit_needs_them_to_resume(search):
    search("digits", "--run", "mine", "--set", RATE, "--hours", "0.0001")
    with pytest.raises(UserError, match="--resume needs --hours or --trials again"):
        search("--run", "mine", "--resume")


def test_a_default_that_no_trial_beats_is_the_best(search, capsys):
    """The fake accuracy is highest at 0.001."""
    search("digits", "--run", "mine", "--set", RATE, "--trials", "3", "--fit.learning_rate=0.001")
    assert json.loads(pathlib.Path("mine/best.json").read_text())["fit"]["learning_rate"] == 0.001
    assert "No trial beats the default" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "text"),
    [("default.json", "{}"), ("default.json", "["), ("winner.json", "[]"), ("sweep.json", "[]"), ("sweep.json", "{}")],
)
def test_damaged_files_are_reported(search, file, text):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "1")
    pathlib.Path("mine", file).write_text(text)
    with pytest.raises(UserError, match=rf"{file}.* is damaged|damaged.*{file}|{file} is not"):
        search("--run", "mine", "--resume")


def test_a_sweep_may_be_moved(search, tmp_path):
    config = flags.to_config(flags.parse_fit(["digits", "--fit.epochs", "1"])[1]).to_dict()
    (tmp_path / "start.json").write_text(json.dumps(config))
    command.main(["--config", "start.json", "--run", "before", "--set", RATE, "--trials", "1"])
    shutil.move("before", "mine")
    search("--run", "mine", "--resume", "--trials", "2")
    assert sorted(fake_fit.started_runs()) == ["0", "1", "default"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "model.widht=1..4"], "Unknown parameter 'model.widht': did you mean 'model.width'"),
        (["--set", "fit.epochs=9..3"], "is empty"),
        (["--set", RATE, "--tuner", "genetic"], "genetic"),
        (["--set", RATE, "--objective", "acuracy"], "Unknown score 'acuracy': did you mean 'accuracy'"),
        (["--set", RATE, "--constraint", "latency"], "Cannot read the constraint 'latency'"),
        (["--set", "fit.learning_rate=-1..1"], "learning_rate must be above 0"),
        (["--set", RATE, "--trails", "3"], "Unknown flag '--trails': did you mean '--trials'"),
        (["--set", RATE, "--role", "worker"], "--oracle must be HOST:PORT"),
        (["--set", RATE, "--oracle", "127.0.0.1:7777"], "oracle is for --role chief and --role worker"),
        (["--set", RATE, "--tuner", "hyperband", "--fit.head_epochs", "5"], "hyperband begins with trials of 2 epochs"),
        (["--models", "cnn"], "two or more"),
        (["--space", "nowhere"], "Cannot read the space nowhere"),
        (["--set", RATE, "--data.train_on_validation"], "needs the validation split"),
        (["--set", RATE, "--set", "fit.epochs=1..5", "--max-epochs", "4"], "fit.epochs is searched: leave out"),
        (["--set", RATE, "--workers", "0"], "workers must be 1 or more"),
        (["--set", RATE, "--objective", "unseen_speakers"], "name one or more in --data.validation_speakers"),
    ],
)
def test_errors_before_the_first_trial(search, words, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(").replace("'", ".")):
        search("digits", "--run", "mine", *words)
    assert not pathlib.Path("mine").exists()
    assert not pathlib.Path("started").exists()


def test_a_default_that_fails_ends_the_sweep(search):
    with pytest.raises(UserError, match="The configuration that the sweep starts from failed: The loss is NaN"):
        search("digits", "--run", "mine", "--set", RATE, "--fit.optimizer=sgd")


def test_repeated_flags(search):
    words = ["--set", RATE, "--constraint", "accuracy>0.5", "--constraint", "loss<2", "--trials", "1"]
    options = search("digits", "--run", "mine", *words, "--set=model.depth=1..3")["options"]
    assert options["constraint"] == ["accuracy>0.5", "loss<2"]
    assert options["set"] == [RATE, "model.depth=1..3"]


def test_trials_keep_the_configuration_file_of_the_first_start(search, tmp_path):
    config = flags.to_config(flags.parse_fit(["digits", "--fit.epochs", "1"])[1]).to_dict()
    (tmp_path / "mine.json").write_text(json.dumps(config))
    search("--config", "mine.json", "--run", "mine", "--set", RATE, "--trials", "1")
    (tmp_path / "mine.json").unlink()
    search("--run", "mine", "--resume", "--trials", "2")
    assert sorted(fake_fit.started_runs()) == ["0", "1", "default"]


def test_a_sweep_keeps_the_space_of_its_first_start(search, tmp_path):
    (tmp_path / "space.txt").write_text(f"{RATE}  # of the optimizer\n")
    search("digits", "--run", "mine", "--space", "space.txt", "--trials", "1")
    (tmp_path / "space.txt").write_text("model.depth=1..4")
    search("--run", "mine", "--resume", "--trials", "2")
    assert {status for status, _ in fake_fit.stored_trials().values()} == {"COMPLETED"}


def test_a_run_with_other_values_is_trained_again(search):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "1")
    shutil.rmtree("mine/oracle")
    search("--run", "mine", "--resume")
    assert fake_fit.started_runs() == ["default", "0"]  # the same values, drawn from the same seed
    shutil.rmtree("mine/oracle")
    record = json.loads(pathlib.Path("mine/sweep.json").read_text())
    record["words"] = ["--seed=5"]
    pathlib.Path("mine/sweep.json").write_text(json.dumps(record))
    search("--run", "mine", "--resume")
    assert fake_fit.started_runs() == ["default", "0", "0"]
