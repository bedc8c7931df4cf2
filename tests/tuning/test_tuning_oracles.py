"""What the oracles propose: whole grids, what is good, nothing twice, and the same after a restart."""

import numpy as np
import pytest
import sklearn.gaussian_process

from pipelines.errors import UserError
from tests.tuning.searching import LINES, end, go, oracle
from tfrec.config import experiments
from tuning import grammar, oracles, spaces

GRID = ("model.depth=1..3", "fit.optimizer=adam,sgd", "fit.momentum=0.5,0.9 if fit.optimizer=sgd")


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
    """The scores rise toward what breaks a constraint; it does not stay there."""
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
