"""Oracles that are killed, started again, fail, and whose workers get lost."""

import json
import pathlib
import shutil
import threading

import pytest
from keras_tuner.engine.trial import Trial

from pipelines.errors import UserError
from tests.tuning.searching import end, oracle
from tuning import durable


def test_what_no_worker_ever_had_is_forgotten(tmp_path):
    known = oracle(tmp_path)
    before = (tmp_path / "oracle.json").read_text()
    trial = known.create_trial("a")
    (tmp_path / "oracle.json").write_text(before)  # killed between the two files
    again = oracle(tmp_path)
    assert again.trials == {}
    assert again.create_trial("a").hyperparameters.values == trial.hyperparameters.values
    assert len(list(tmp_path.glob("trial_*"))) == 1


def test_what_has_ended_stays_ended(tmp_path):
    known = oracle(tmp_path)
    trial = known.create_trial("a")
    before = (tmp_path / "oracle.json").read_text()
    end(known, trial, 0.7)
    (tmp_path / "oracle.json").write_text(before)
    again = oracle(tmp_path)
    assert again.create_trial("a").trial_id == "1"
    assert again.trials["0"].score == 0.7
    assert again.end_order == ["0"]


def test_what_was_interrupted_is_tried_again_first(tmp_path):
    known = oracle(tmp_path)
    first, second = known.create_trial("a"), known.create_trial("b")
    end(known, second)
    again = oracle(tmp_path)
    assert again.create_trial("a").trial_id == first.trial_id
    assert again.create_trial("b").trial_id == "2"


def clock(monkeypatch):
    """A function that lets seconds pass."""
    now = [0.0]
    monkeypatch.setattr(durable.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_the_last_trial_of_a_lost_worker_is_not_lost(tmp_path, monkeypatch):
    wait = clock(monkeypatch)
    known = oracle(tmp_path, trials=1, leases=True)
    lost = known.create_trial("a")
    assert known.create_trial("b").status == "IDLE"
    wait(40)
    known.get_trial(lost.trial_id)
    wait(40)
    assert known.create_trial("b").status == "IDLE"  # it has spoken
    wait(61)
    assert known.create_trial("b").trial_id == lost.trial_id
    assert known.lost() == [("a", "0")]
    assert known.lost() == []
    end(known, lost, 0.9)  # it was only slow, and faster than b
    end(known, lost, 0.1)
    assert known.get_trial("0").status == "STOPPED"
    assert known.trials["0"].score == 0.9
    assert known.create_trial("b").status == "STOPPED"
    assert known.over


def test_workers_of_this_process_are_never_lost(tmp_path, monkeypatch):
    wait = clock(monkeypatch)
    known = oracle(tmp_path)
    known.create_trial("a")
    wait(10_000)
    known.take_back()
    assert known.create_trial("b").trial_id == "1"
    assert known.lost() == []


def test_workers_that_outlive_their_chief_keep_their_trials(tmp_path, monkeypatch):
    wait = clock(monkeypatch)
    known = oracle(tmp_path, leases=True)
    first, second = known.create_trial("a"), known.create_trial("b")
    again = oracle(tmp_path, leases=True)
    end(again, first)
    assert again.create_trial("a").trial_id == "2"
    wait(50)
    again.get_trial(second.trial_id)
    wait(50)
    assert again.create_trial("c").trial_id == "2"  # a has not spoken for 100 seconds, b for 50
    wait(50)
    assert again.create_trial("d").trial_id == "1"


def test_a_chief_that_has_nothing_left_is_over(tmp_path):
    known = oracle(tmp_path, trials=1, leases=True)
    end(known, known.create_trial("a"))
    assert not known.over  # a would not know
    assert oracle(tmp_path, trials=1, leases=True).over


def test_a_failure_inside_locks_nobody_out(tmp_path, monkeypatch):
    known = oracle(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable.Run, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            known.create_trial("a")
    assert isinstance(known.error, OSError)
    other = threading.Thread(target=known.create_trial, args=("b",), daemon=True)
    other.start()
    other.join(20)
    assert not other.is_alive()


def test_a_trial_that_is_none_harms_nobody(tmp_path):
    known = oracle(tmp_path)
    with pytest.raises(KeyError):
        known.get_trial("../../etc")
    assert known.error is None


def test_why_a_trial_failed_comes_over_the_wire(tmp_path):
    known = oracle(tmp_path)
    trial = known.create_trial("a")
    values = dict(trial.hyperparameters.values)
    ended = Trial.from_proto(trial.to_proto())
    ended.hyperparameters.values[durable.REASON] = "The loss was no number."
    ended = Trial.from_proto(ended.to_proto())
    ended.status = "FAILED"
    known.end_trial(ended)
    stored = json.loads((tmp_path / "trial_0" / "trial.json").read_text())
    assert (stored["status"], stored["message"]) == ("FAILED", "The loss was no number.")
    assert stored["hyperparameters"]["values"] == values


def test_names_of_trials_lead_nowhere_else(tmp_path):
    """What never began is deleted at the next start."""
    precious = tmp_path / "precious"
    precious.mkdir()
    known = oracle(tmp_path / "mine")
    known.create_trial("a")
    stored = json.loads((tmp_path / "mine" / "trial_0" / "trial.json").read_text())
    stored["trial_id"] = "0/../../../precious"
    (tmp_path / "mine" / "trial_0" / "trial.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match="damaged"):
        oracle(tmp_path / "mine")
    assert precious.is_dir()


def test_a_trial_that_is_missing_is_noticed(tmp_path):
    known = oracle(tmp_path)
    for _ in range(2):
        end(known, known.create_trial("a"))
    shutil.rmtree(tmp_path / "trial_0")
    with pytest.raises(UserError, match="trial_0 is missing"):
        oracle(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [("oracle.json", "{"), ("oracle.json", "{}"), ("oracle.json", "[]"), ("trial_0/trial.json", "{}")],
)
def test_damaged_memory(tmp_path, file, text):
    known = oracle(tmp_path)
    known.create_trial("a")
    pathlib.Path(tmp_path, file).write_text(text)
    with pytest.raises(UserError, match="damaged"):
        oracle(tmp_path)


def test_folders_may_have_any_name(tmp_path):
    folder = tmp_path / "a [1] *"
    known = oracle(folder)
    end(known, known.create_trial("a"))
    assert oracle(folder).create_trial("a").trial_id == "1"
