"""Oracles that are killed, started again, fail, and whose workers get lost."""

import json
import pathlib
import shutil
import threading

import numpy as np
import pytest
import sklearn.gaussian_process
from keras_tuner.engine.trial import Trial

from pipelines.errors import UserError
from tfrec import experiments
from tuning import grammar, oracles, spaces
from tuning.objectives import Objective

LINES = ("fit.learning_rate=1e-4..1e-2:log", "model.depth=1..3")
GRID = ("model.depth=1..3", "fit.optimizer=adam,sgd", "fit.momentum=0.5,0.9 if fit.optimizer=sgd")


def oracle(folder, tuner="random", trials=6, lines=LINES, leases=False, epochs=4):
    parameters = grammar.parse(lines, experiments.find("digits")())
    found = oracles.build(tuner, spaces.hyperparameters(parameters), Objective("accuracy"), trials, epochs, 0)
    found.leases = leases
    found.begin(folder)
    return found


def end(known, trial, accuracy=0.5, status="COMPLETED"):
    """What a worker reports; over a wire, as one elsewhere would."""
    if status == "COMPLETED":
        known.update_trial(trial.trial_id, {"accuracy": accuracy})
    ended = Trial.from_proto(trial.to_proto())
    ended.status = status
    known.end_trial(ended)


def go(known, again=lambda known: known, accuracy=lambda trial: 0.5):
    """One worker until nothing is left; returns the values of all trials in their order."""
    tried = []
    while (trial := known.create_trial("worker")).status != "STOPPED":
        assert len(tried) < 100
        if trial.status == "RUNNING":
            tried.append({"trial": trial.trial_id, **trial.hyperparameters.values})
            end(known, trial, accuracy(trial))
        known = again(known)
    return tried


@pytest.mark.parametrize("tuner", oracles.TUNERS)
def test_a_search_that_is_started_again_after_each_trial_is_the_same(tmp_path, tuner):
    lines = GRID if tuner == "grid" else LINES
    trials = None if tuner in ("grid", "hyperband") else 6

    def accuracy(trial):
        return 0.9 - trial.hyperparameters.values["model.depth"] / 10 - int(trial.trial_id) / 1000

    once = go(oracle(tmp_path / "once", tuner, trials, lines), accuracy=accuracy)
    often = go(
        oracle(tmp_path / "often", tuner, trials, lines),
        lambda _: oracle(tmp_path / "often", tuner, trials, lines),
        accuracy,
    )
    assert often == once
    values = [tuple(sorted((key, str(value)) for key, value in one.items() if key != "trial")) for one in once]
    assert len(set(values)) == len(values)
    if tuner == "grid":
        assert len(once) == 3 * (1 + 2)


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
    monkeypatch.setattr(oracles.time, "monotonic", lambda: now[0])

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
        patch.setattr(oracles.Run, "write_json", full)
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
    ended.hyperparameters.values[oracles.REASON] = "The loss was no number."
    ended = Trial.from_proto(ended.to_proto())
    ended.status = "FAILED"
    known.end_trial(ended)
    stored = json.loads((tmp_path / "trial_0" / "trial.json").read_text())
    assert (stored["status"], stored["message"]) == ("FAILED", "The loss was no number.")
    assert stored["hyperparameters"]["values"] == values


def test_bayesian_leaves_chance_behind(tmp_path):
    """After a third of the trials it looks where the scores have been good."""

    def accuracy(trial):
        return 1 - abs(trial.hyperparameters.values["model.depth"] - 3) / 10

    tried = go(oracle(tmp_path, "bayesian", 18), accuracy=accuracy)
    depths = [one["model.depth"] for one in tried]
    assert depths[9:].count(3) > 5


def test_bayesian_looks_past_what_has_come_to_nothing(tmp_path):
    """One loss in three is huge: what differs between the others still shows."""

    def score(trial):
        return -1e6 if trial.hyperparameters.values["model.depth"] == 1 else 0.5 + int(trial.trial_id) / 100

    known = oracle(tmp_path, "bayesian", 18)
    go(known, accuracy=score)
    y = known._vectorize_trials()[1]
    assert max(y) < 1
    assert len(set(y.tolist())) > 3


def tried_with_failures(known, fails, accuracy):
    """The values of all trials, of which some fail."""
    tried = []
    while (trial := known.create_trial("worker")).status == "RUNNING":
        tried.append(trial.hyperparameters.values)
        end(known, trial, accuracy(tried[-1]), "FAILED" if fails(tried[-1]) else "COMPLETED")
    return tried


def test_bayesian_learns_from_what_fails(tmp_path):
    """The scores rise towards what breaks a constraint; it does not stay there."""
    known = oracle(tmp_path, "bayesian", 24, ["model.width=16..64", "model.dropout=0..0.5"])
    tried = tried_with_failures(known, lambda one: one["model.width"] > 40, lambda one: one["model.width"] / 64)
    later = [one["model.width"] <= 40 for one in tried[8:]]
    assert sum(later) > len(later) / 2


def test_bayesian_searches_around_where_it_starts(tmp_path):
    """What is there is better than all else, and the trials do not tell where it is."""
    known = oracle(tmp_path, "bayesian", 24)
    known.start = spaces.start(grammar.parse(LINES, experiments.find("digits")())), 0.9
    assert known.start[0] == {"fit.learning_rate": 2e-3, "model.depth": 2}
    tried = go(known, accuracy=lambda one: 0.3)
    near = [one["model.depth"] == 2 and 1e-3 < one["fit.learning_rate"] < 4e-3 for one in tried]
    assert any(near[8:11])


def test_bayesian_tries_nothing_twice(tmp_path):
    tried = go(oracle(tmp_path, "bayesian", 14, ["model.depth=1..6"]))
    assert sorted(one["model.depth"] for one in tried) == [1, 2, 3, 4, 5, 6]


def test_bayesian_keeps_to_whole_ranges(tmp_path):
    """The best is at the upper end, beyond which Keras Tuner's own goes by one."""
    lines = ["model.width=16..64:log", "model.dropout=0..0.5"]
    tried = go(oracle(tmp_path, "bayesian", 12, lines), accuracy=lambda one: one.hyperparameters.values["model.width"])
    assert max(one["model.width"] for one in tried) == 64


def test_bayesian_leaves_chance_early_where_only_hours_end_it(tmp_path):
    known = oracle(tmp_path, "bayesian", None, [*LINES, "model.dropout=0..0.5", "model.width=16..64"])
    assert known.num_initial_points == 10


def test_hyperband_replaces_what_fails_at_first(tmp_path):
    known = oracle(tmp_path, "hyperband", None, epochs=9)
    before = known.total
    tried = tried_with_failures(known, lambda one: one["fit.learning_rate"] > 1e-3, lambda one: 0.5)
    completed = [trial for trial in known.trials.values() if trial.status == "COMPLETED"]
    assert len(tried) == known.total > before
    assert len(completed) == before
    assert max(one["tuner/round"] for one in tried) == 2


def test_hyperband_ends_where_all_fail(tmp_path):
    known = oracle(tmp_path, "hyperband", None, epochs=9)
    assert len(tried_with_failures(known, lambda _: True, lambda _: 0.5)) < 3 * known._planned


def test_the_quick_gaussian_process_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    x, y = random.random((25, 4)), random.random(25)
    options = {"kernel": sklearn.gaussian_process.kernels.Matern(nu=2.5), "normalize_y": True, "random_state": 0}
    points = np.concatenate([random.random((7, 4)), x[:3]])
    ours = oracles.GaussianProcess(**options)
    theirs = sklearn.gaussian_process.GaussianProcessRegressor(**options)
    for _ in range(2):  # before it is fitted, and after
        for mine, other in zip(ours.predict(points, True), theirs.predict(points, True), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-8)
        ours.fit(x, y)
        theirs.fit(x, y)
    np.testing.assert_allclose(ours.predict(points), theirs.predict(points))


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


def test_unknown_tuner(tmp_path):
    with pytest.raises(UserError, match="Unknown tuner 'bayes'"):
        oracle(tmp_path, "bayes")


@pytest.mark.parametrize("trials", [None, 5, 1000])
@pytest.mark.parametrize("tuner", ["grid", "hyperband"])
def test_how_many_there_will_be_is_known_before(tmp_path, tuner, trials):
    known = oracle(tmp_path, tuner, trials, GRID if tuner == "grid" else LINES)
    assert len(go(known)) == known.total


def test_ranges_count_as_a_grid_has_them(tmp_path):
    lines = ("model.depth=1..2", "fit.learning_rate=1e-4..1e-2:log", "model.dropout=0..0.2:step=0.1")
    known = oracle(tmp_path / "grid", "grid", None, lines)
    assert len(go(known)) == known.total == 2 * 11 * 3
    assert oracle(tmp_path / "random", "random", None, lines).total is None


def test_trials_are_counted(tmp_path):
    names = [one["trial"] for one in go(oracle(tmp_path, "hyperband", 5))]
    assert names == list(map(str, range(5)))
    assert len(list(tmp_path.glob("trial_*"))) == 5
