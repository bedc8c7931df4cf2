"""Sweeps whose trainings are a small program: what is trained, kept, gone on with, refused, told."""

import csv
import json
import pathlib
import shutil
import sys
import time

import pytest

from pipelines.errors import UserError
from tests.tuning import pretend
from tfrec.config import flags
from tfrec.config.schema import as_json
from tfrec.runs.run import Run
from tfrec.studies import fit_process, model_costs
from tfrec.utils import processes
from tuning import margins, sweep, sweeping, trials

RATE = "fit.learning_rate=1e-4..1e-2:log"


@pytest.fixture
def search(tmp_path, monkeypatch):
    """A function from words to sweep.json; it runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(pretend.FIT)
    monkeypatch.setattr(fit_process, "COMMAND", (sys.executable, "fit.py"))
    monkeypatch.setattr(model_costs, "try_build", lambda configs, *_, **__: dict.fromkeys(configs, pretend.COST))
    monkeypatch.setattr(margins, "measure", lambda *_: None)
    monkeypatch.setattr(processes, "POLL_INTERVAL_S", 0.05)
    monkeypatch.setattr(sweeping, "LOOK_SECONDS", 0.05)

    def search(*words):
        sweep.main([*words])
        return json.loads(pathlib.Path("mine/sweep.json").read_text())

    return search


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_the_best_of_so_many_trials(search, tuner, capsys):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "6", "--workers", "2", "--tuner", tuner)
    assert sorted(pretend.started()) == ["0", "1", "2", "3", "4", "5", "default"]
    found = pretend.known()
    assert {status for status, _ in found.values()} == {"COMPLETED"}
    best = max(found, key=lambda label: found[label][1]["accuracy"][0])
    stored = json.loads(pathlib.Path("mine/best.json").read_text())
    assert flags.from_json(stored).fit.learning_rate == found[best][1]["parameters"][0] / 1000
    assert stored["export"]["after_fit"]
    assert f"best {best} with validation accuracy" in capsys.readouterr().out
    assert pathlib.Path("mine/report.html").stat().st_size > 10_000
    assert all("--no_test" in line for line in pathlib.Path("started").read_text().splitlines())


def test_a_grid_is_tried_whole_and_each_once(search):
    rates = "fit.learning_rate=0.001,0.002,0.003"
    search("digits", "--run", "mine", "--set", rates, "--set", "model.depth=1..2", "--tuner", "grid")
    lines = [line.split("--run")[0].split(" ", 1)[1] for line in pathlib.Path("started").read_text().splitlines()[1:]]
    assert len(lines) == len(set(lines)) == 6


def test_hyperband_goes_on_with_the_best(search):
    search("digits", "--run", "mine", "--set", RATE, "--tuner", "hyperband", "--max-epochs", "4")
    folders = pathlib.Path("mine/trials").iterdir()
    lengths = {path.name: len(Run(path).read_history()) for path in folders if path.name != "default"}
    assert max(lengths.values()) == 4
    assert min(lengths.values()) < 4
    lines = pathlib.Path("started").read_text().splitlines()
    resumed = [line for line in lines if "--resume" in line]
    assert resumed
    assert all("--fit.epochs=4" in line or "--fit.epochs=2" in line for line in resumed)


def test_what_fails_costs_one_trial(search):
    values = "fit.optimizer=adam,sgd,rmsprop"
    search("digits", "--run", "mine", "--set", values, "--tuner", "grid")
    assert [status for status, _ in pretend.known().values()] == ["COMPLETED", "FAILED", "FAILED"]
    lines = pathlib.Path("mine/trials.csv").read_text()
    assert "no finite number any more" in lines
    assert "memory runs out" in lines


def test_five_failures_in_a_row_end_it(search):
    words = ["--set", RATE, "--set", "fit.optimizer=sgd,rmsprop", "--trials", "12"]
    with pytest.raises(UserError, match="5 trials in a row failed, the last, 04, with: "):
        search("digits", "--run", "mine", *words)
    with pytest.raises(UserError, match="5 trials in a row failed, the last, 09, with: "):
        search("--run", "mine", "--resume")  # as if something had been mended


def test_constraints_and_a_second_objective(search):
    words = ["--set", "fit.learning_rate=0.001,0.002,0.003", "--tuner", "grid", "--constraint", "accuracy>0.96"]
    search("digits", "--run", "mine", *words, "--objective", "loss", "accuracy")
    lines = list(csv.DictReader(pathlib.Path("mine/trials.csv").read_text().splitlines()))
    assert [line["status"] for line in lines] == ["done", "done", "done", "infeasible"]
    assert lines[-1]["reason"] == "accuracy is 0.952288, not accuracy>0.96."
    assert pathlib.Path("mine/front.png").is_file()


def test_what_a_network_costs_is_known_before_it_is_trained(search):
    words = ["--set", "model.depth=1..2", "--tuner", "grid", "--constraint", "parameters<5"]
    with pytest.raises(UserError, match=r"No trial has ended well: mine/report\.html tells why"):
        search("digits", "--run", "mine", *words)
    assert not pathlib.Path("started").exists()
    lines = list(csv.DictReader(pathlib.Path("mine/trials.csv").read_text().splitlines()))
    assert [line["reason"] for line in lines] == ["parameters is 10, not parameters<5."] * 3


def test_it_goes_on_where_it_was(search, capsys):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "3", "--workers", "2")
    before = pretend.known()
    capsys.readouterr()
    with pytest.raises(UserError, match="mine already exists and is not empty"):
        search("digits", "--run", "mine", "--set", RATE, "--trials", "5")
    with pytest.raises(UserError, match="cannot change: leave out --tuner"):
        search("--run", "mine", "--resume", "--tuner", "random")
    with pytest.raises(UserError, match="cannot change: leave out digits"):
        search("digits", "--run", "mine", "--resume")
    search("--run", "mine", "--resume", "--trials", "5")
    assert {label: pretend.known()[label] for label in before} == before
    assert sorted(pretend.started()) == ["0", "1", "2", "3", "4", "default"]
    search("--run", "mine", "--resume")
    assert len(pretend.started()) == 6


def test_hours(search, monkeypatch):
    monkeypatch.setenv("EPOCH_SECONDS", "0.3")
    begun = time.monotonic()
    search("digits", "--run", "mine", "--set", RATE, "--hours", "0.0012")
    assert time.monotonic() - begun < 30
    states = [status for status, _ in pretend.known().values()]
    assert "COMPLETED" in states
    monkeypatch.setenv("EPOCH_SECONDS", "0")
    search("--run", "mine", "--resume", "--trials", str(len(states)))
    assert {status for status, _ in pretend.known().values()} == {"COMPLETED"}


def test_a_worker_that_is_early_is_told_so(search):
    with pytest.raises(UserError, match=r"mine has no sweep\.json to join: start its chief first"):
        search("--run", "mine", "--role", "worker", "--oracle", "127.0.0.1:7777")


def test_what_is_printed_goes_on_with_the_same(search):
    words = ["--set", RATE, "--hours", "0.5", "--workers", "2", "--trials", "2"]
    command = search("digits", "--run", "mine", *words)["command"]
    assert command == "python -m tuning.sweep --run mine --resume --workers=2 --hours=0.5"
    assert search("--run", "mine", "--resume", "--trials", "3")["options"]["trials"] == 3
    search("--run", "mine", "--resume")
    assert len(pretend.started()) == 4


def test_hours_alone_must_be_said_again(search):
    search("digits", "--run", "mine", "--set", RATE, "--hours", "0.0001")
    with pytest.raises(UserError, match="--resume needs --hours or --trials again"):
        search("--run", "mine", "--resume")


def test_a_default_that_nothing_beats_is_the_best(search, capsys):
    """At 0.001 the pretended accuracy is highest."""
    search("digits", "--run", "mine", "--set", RATE, "--trials", "3", "--fit.learning_rate=0.001")
    assert json.loads(pathlib.Path("mine/best.json").read_text())["fit"]["learning_rate"] == 0.001
    assert "No trial beats the default" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "text"),
    [("default.json", "{}"), ("default.json", "["), ("winner.json", "[]"), ("sweep.json", "[]"), ("sweep.json", "{}")],
)
def test_damaged_files_are_told(search, file, text):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "1")
    pathlib.Path("mine", file).write_text(text)
    with pytest.raises(UserError, match=rf"{file}.* is damaged|damaged.*{file}|{file} is not"):
        search("--run", "mine", "--resume")


def test_a_sweep_may_be_moved(search, tmp_path):
    config = as_json(flags.plain(flags.parse_fit(["digits", "--fit.epochs", "1"])[1]))
    (tmp_path / "start.json").write_text(json.dumps(config))
    sweep.main(["--config", "start.json", "--run", "before", "--set", RATE, "--trials", "1"])
    shutil.move("before", "mine")
    search("--run", "mine", "--resume", "--trials", "2")
    assert sorted(pretend.started()) == ["0", "1", "default"]


@pytest.mark.parametrize(
    ("words", "said"),
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
        (["--set", RATE, "--data.train_on_validation"], "leaves nothing to choose by"),
        (["--set", RATE, "--set", "fit.epochs=1..5", "--max-epochs", "4"], "fit.epochs is searched: leave out"),
        (["--set", RATE, "--workers", "0"], "workers must be 1 or more"),
    ],
)
def test_refused_before_the_first_trial(search, words, said):
    with pytest.raises(UserError, match=said.replace("(", r"\(").replace("'", ".")):
        search("digits", "--run", "mine", *words)
    assert not pathlib.Path("mine").exists()
    assert not pathlib.Path("started").exists()


def test_a_default_that_fails_ends_it(search):
    with pytest.raises(UserError, match="The configuration that the sweep starts from failed: The loss was no finite"):
        search("digits", "--run", "mine", "--set", RATE, "--fit.optimizer=sgd")


def test_flags_that_are_given_again(search):
    words = ["--set", RATE, "--constraint", "accuracy>0.5", "--constraint", "loss<2", "--trials", "1"]
    options = search("digits", "--run", "mine", *words, "--set=model.depth=1..3")["options"]
    assert options["constraint"] == ["accuracy>0.5", "loss<2"]
    assert options["set"] == [RATE, "model.depth=1..3"]


def test_trials_keep_to_the_file_they_were_started_with(search, tmp_path):
    config = as_json(flags.plain(flags.parse_fit(["digits", "--fit.epochs", "1"])[1]))
    (tmp_path / "mine.json").write_text(json.dumps(config))
    search("--config", "mine.json", "--run", "mine", "--set", RATE, "--trials", "1")
    (tmp_path / "mine.json").unlink()
    search("--run", "mine", "--resume", "--trials", "2")
    assert sorted(pretend.started()) == ["0", "1", "default"]


def test_the_space_is_the_one_it_was_started_with(search, tmp_path):
    (tmp_path / "space.txt").write_text(f"{RATE}  # of the optimizer\n")
    search("digits", "--run", "mine", "--space", "space.txt", "--trials", "1")
    (tmp_path / "space.txt").write_text("model.depth=1..4")
    search("--run", "mine", "--resume", "--trials", "2")
    assert {status for status, _ in pretend.known().values()} == {"COMPLETED"}


def test_a_run_that_was_trained_with_other_values_is_trained_anew(search):
    search("digits", "--run", "mine", "--set", RATE, "--trials", "1")
    shutil.rmtree("mine/oracle")
    search("--run", "mine", "--resume")
    assert pretend.started() == ["default", "0"]  # the same values, drawn from the same seed
    shutil.rmtree("mine/oracle")
    record = json.loads(pathlib.Path("mine/sweep.json").read_text())
    record["words"] = ["--seed=5"]
    pathlib.Path("mine/sweep.json").write_text(json.dumps(record))
    search("--run", "mine", "--resume")
    assert pretend.started() == ["default", "0", "0"]
