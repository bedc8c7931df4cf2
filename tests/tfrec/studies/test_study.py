"""Studies: what is trained, what is not trained twice, and the command."""

import json
import logging
import sys
import time

import pytest

from pipelines.errors import UserError
from tests.tfrec.studies.helpers import finished_run
from tfrec.commands import study
from tfrec.runs.run import Run
from tfrec.studies import fit_process, tables
from tfrec.studies import study as studying
from tfrec.studies.study import Step
from tfrec.utils.scheduler import StoppedError

QUICK = ("digits", "--fit.epochs", "1", "--model.width", "4", "--model.depth", "1")


@pytest.mark.slow
def test_finished_trainings_are_not_repeated_and_a_failing_one_is_named(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    steps = [Step("one", "a", QUICK), Step("two", "b", (*QUICK, "--fit.learning_rate", "1e30"))]
    with pytest.raises(UserError, match=r"two failed: .*fit.learning_rate"):
        studying.train(tmp_path, steps)
    trained = (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns
    steps[1] = Step("two", "b", (*QUICK, "--seed", "1"))
    studying.train(tmp_path, steps)
    assert (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns == trained
    assert all(tables.score(Run(tmp_path / "runs" / label))[1] for label in ("one", "two"))
    assert sum("on the test split" in message for message in caplog.messages) == 2


def test_several_trainings_at_once_but_pretraining_first(tmp_path, monkeypatch):
    running, counts, order = set(), [], []

    def fit(run, words, logs, call):
        running.add(run.name)
        counts.append(len(running))
        order.append(run.name)
        time.sleep(0.2)
        running.remove(run.name)
        finished_run(tmp_path, run.name, 0.5)

    monkeypatch.setattr(fit_process, "fit", fit)
    steps = [Step(f"a{i}", "a", ()) for i in range(4)]
    studying.train(tmp_path, [*steps, Step("source", None, ())], workers=2)
    assert order[0] == "source"
    assert counts[0] == 1
    assert max(counts) == 2
    assert sorted(order) == ["a0", "a1", "a2", "a3", "source"]


def test_a_failing_training_stops_the_others(tmp_path, monkeypatch):
    stopped = []

    def fit(run, words, logs, call):
        if run.name == "bad":
            return "It is bad."
        try:
            call([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", tmp_path / "record")
        except StoppedError:
            stopped.append(run.name)
            raise

    monkeypatch.setattr(fit_process, "fit", fit)
    steps = [Step("endless", "a", ()), Step("bad", "a", ()), Step("never", "a", ())]
    with pytest.raises(UserError, match="bad failed: It is bad"):
        studying.train(tmp_path, steps, workers=2)
    assert stopped == ["endless"]


MEASURES = """
import json, pathlib, sys
_, run, *words = sys.argv[1:]
pathlib.Path(run, "more.json").write_text(json.dumps(words))
"""


def test_each_run_is_measured_once(tmp_path, monkeypatch):
    trained = []

    def fit(run, *_):
        if not run.is_finished():
            finished_run(tmp_path, run.name, 0.5)
            trained.append(run.name)

    (tmp_path / "measures.py").write_text(MEASURES)
    monkeypatch.setattr(fit_process, "fit", fit)
    monkeypatch.setattr(studying, "COMMAND_LINE", (sys.executable, str(tmp_path / "measures.py")))
    step = Step("one", "a", QUICK, "clean", (("more.json", ("evaluate", "--loud")),))
    studying.train(tmp_path, [step])
    measured = tmp_path / "runs" / "one" / "more.json"
    assert json.loads(measured.read_text()) == ["--loud"]
    measured.unlink()
    studying.train(tmp_path, [step])  # after an interruption between the two
    assert measured.is_file()
    assert trained == ["one"]
    (tmp_path / "measures.py").write_text("raise SystemExit('error: too loud')")
    measured.unlink()
    with pytest.raises(UserError, match="one failed: too loud"):
        studying.train(tmp_path, [step])


def test_user_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="transfer"):
        study.main(["transfr"])
    with pytest.raises(UserError, match="seeds"):
        study.main(["transfer", "--seeds", "1", "1"])
    with pytest.raises(UserError, match=r"no study\.json"):
        study.main(["transfer", "--resume"])
    (tmp_path / "runs" / "transfer").mkdir(parents=True)
    (tmp_path / "runs" / "transfer" / "study.json").write_text(json.dumps({"study": "transfer", "seeds": [0]}))
    with pytest.raises(UserError, match="already exists and is not empty"):
        study.main(["transfer"])
    with pytest.raises(UserError, match="cannot change"):
        study.main(["transfer", "--resume", "--seeds", "3"])
