"""Oracles that are killed, restart, fail, and whose workers lose their heartbeat."""

import json
import pathlib
import shutil
import threading

import pytest
from keras_tuner.engine.trial import Trial

from pipelines.errors import UserError
from tests.tuning.fake_trials import end, open_oracle
from tuning.oracles import persistent


def test_a_trial_that_no_worker_had_is_deleted(tmp_path):
    oracle = open_oracle(tmp_path)
    before = (tmp_path / "oracle.json").read_text()
    trial = oracle.create_trial("a")
    (tmp_path / "oracle.json").write_text(before)  # killed between the two files
    reopened = open_oracle(tmp_path)
    assert reopened.trials == {}
    assert reopened.create_trial("a").hyperparameters.values == trial.hyperparameters.values
    assert len(list(tmp_path.glob("trial_*"))) == 1


def test_an_ended_trial_stays_ended(tmp_path):
    oracle = open_oracle(tmp_path)
    trial = oracle.create_trial("a")
    before = (tmp_path / "oracle.json").read_text()
    end(oracle, trial, 0.7)
    (tmp_path / "oracle.json").write_text(before)
    reopened = open_oracle(tmp_path)
    assert reopened.create_trial("a").trial_id == "1"
    assert reopened.trials["0"].score == 0.7
    assert reopened.end_order == ["0"]


def test_interrupted_trials_are_retried_first(tmp_path):
    oracle = open_oracle(tmp_path)
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    end(oracle, second)
    reopened = open_oracle(tmp_path)
    assert reopened.create_trial("a").trial_id == first.trial_id
    assert reopened.create_trial("b").trial_id == "2"


def clock(monkeypatch):
    """A function that advances the time."""
    now = [0.0]
    monkeypatch.setattr(persistent.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_the_last_trial_goes_to_another_worker_when_its_lease_expires(tmp_path, monkeypatch):
    wait = clock(monkeypatch)
    oracle = open_oracle(tmp_path, trials=1, has_leases=True)
    expired = oracle.create_trial("a")
    assert oracle.create_trial("b").status == "IDLE"
    wait(40)
    oracle.get_trial(expired.trial_id)
    wait(40)
    assert oracle.create_trial("b").status == "IDLE"  # it has sent a heartbeat
    wait(61)
    assert oracle.create_trial("b").trial_id == expired.trial_id
    assert oracle.pop_expired() == [("a", "0")]
    assert oracle.pop_expired() == []
    end(oracle, expired, 0.9)  # it was only slow, and faster than b
    end(oracle, expired, 0.1)
    assert oracle.get_trial("0").status == "STOPPED"
    assert oracle.trials["0"].score == 0.9
    assert oracle.create_trial("b").status == "STOPPED"
    assert oracle.is_finished


def test_leases_of_this_process_never_expire(tmp_path, monkeypatch):
    wait = clock(monkeypatch)
    oracle = open_oracle(tmp_path)
    oracle.create_trial("a")
    wait(10_000)
    oracle.expire_leases()
    assert oracle.create_trial("b").trial_id == "1"
    assert oracle.pop_expired() == []


def test_workers_keep_their_trials_while_their_chief_restarts(tmp_path, monkeypatch):
    wait = clock(monkeypatch)
    oracle = open_oracle(tmp_path, has_leases=True)
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    reopened = open_oracle(tmp_path, has_leases=True)
    end(reopened, first)
    assert reopened.create_trial("a").trial_id == "2"
    wait(50)
    reopened.get_trial(second.trial_id)
    wait(50)
    assert reopened.create_trial("c").trial_id == "2"  # the last heartbeat of a is 100 seconds old, that of b 50
    wait(50)
    assert reopened.create_trial("d").trial_id == "1"


def test_a_chief_without_trials_or_workers_is_finished(tmp_path):
    oracle = open_oracle(tmp_path, trials=1, has_leases=True)
    end(oracle, oracle.create_trial("a"))
    assert not oracle.is_finished  # a does not know it yet
    assert open_oracle(tmp_path, trials=1, has_leases=True).is_finished


def test_an_exception_releases_the_lock(tmp_path, monkeypatch):
    oracle = open_oracle(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(persistent.Run, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            oracle.create_trial("a")
    assert isinstance(oracle.error, OSError)
    other = threading.Thread(target=oracle.create_trial, args=("b",), daemon=True)
    other.start()
    other.join(20)
    assert not other.is_alive()


def test_an_unknown_trial_is_an_error_of_its_worker_only(tmp_path):
    oracle = open_oracle(tmp_path)
    with pytest.raises(KeyError):
        oracle.get_trial("../../etc")
    assert oracle.error is None


def test_a_message_carries_why_a_trial_failed(tmp_path):
    oracle = open_oracle(tmp_path)
    trial = oracle.create_trial("a")
    values = dict(trial.hyperparameters.values)
    ended = Trial.from_proto(trial.to_proto())
    ended.hyperparameters.values[persistent.REASON] = "The loss is NaN."
    ended = Trial.from_proto(ended.to_proto())
    ended.status = "FAILED"
    oracle.end_trial(ended)
    stored = json.loads((tmp_path / "trial_0" / "trial.json").read_text())
    assert (stored["status"], stored["message"]) == ("FAILED", "The loss is NaN.")
    assert stored["hyperparameters"]["values"] == values


def test_ids_of_trials_cannot_leave_the_folder(tmp_path):
    """Trials that never started are deleted when the state is restored."""
    precious = tmp_path / "precious"
    precious.mkdir()
    oracle = open_oracle(tmp_path / "mine")
    oracle.create_trial("a")
    stored = json.loads((tmp_path / "mine" / "trial_0" / "trial.json").read_text())
    stored["trial_id"] = "0/../../../precious"
    (tmp_path / "mine" / "trial_0" / "trial.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match="damaged"):
        open_oracle(tmp_path / "mine")
    assert precious.is_dir()


def test_a_missing_trial_is_an_error(tmp_path):
    oracle = open_oracle(tmp_path)
    for _ in range(2):
        end(oracle, oracle.create_trial("a"))
    shutil.rmtree(tmp_path / "trial_0")
    with pytest.raises(UserError, match="trial_0 is missing"):
        open_oracle(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [("oracle.json", "{"), ("oracle.json", "{}"), ("oracle.json", "[]"), ("trial_0/trial.json", "{}")],
)
def test_damaged_state(tmp_path, file, text):
    oracle = open_oracle(tmp_path)
    oracle.create_trial("a")
    pathlib.Path(tmp_path, file).write_text(text)
    with pytest.raises(UserError, match="damaged"):
        open_oracle(tmp_path)


def test_a_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "a [1] *"
    oracle = open_oracle(folder)
    end(oracle, oracle.create_trial("a"))
    assert open_oracle(folder).create_trial("a").trial_id == "1"
