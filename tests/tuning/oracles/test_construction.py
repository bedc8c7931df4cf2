"""The oracles propose whole grids, good values, nothing twice, and the same after a restart."""

import pytest

from pipelines.errors import UserError
from tests.tuning.fake_trials import LINES, end, open_oracle, run
from tfrec.config import experiments
from tuning.oracles import construction
from tuning.search_space import grammar, parameters

GRID = ("model.depth=1..3", "fit.optimizer=adam,sgd", "fit.momentum=0.5,0.9 if fit.optimizer=sgd")


@pytest.mark.parametrize("tuner", construction.TUNERS)
def test_a_search_that_restarts_after_each_trial_is_the_same(tmp_path, tuner):
    lines = GRID if tuner == "grid" else LINES
    trials = None if tuner in ("grid", "hyperband") else 6

    def accuracy(trial):
        return 0.9 - trial.hyperparameters.values["model.depth"] / 10 - int(trial.trial_id) / 1000

    once = run(open_oracle(tmp_path / "once", tuner, trials, lines), accuracy=accuracy)
    often = run(
        open_oracle(tmp_path / "often", tuner, trials, lines),
        lambda _: open_oracle(tmp_path / "often", tuner, trials, lines),
        accuracy,
    )
    assert often == once
    values = [tuple(sorted((key, str(value)) for key, value in one.items() if key != "trial")) for one in once]
    assert len(set(values)) == len(values)
    if tuner == "grid":
        assert len(once) == 3 * (1 + 2)


def test_bayesian_concentrates_on_good_values(tmp_path):
    """After a third of the trials it proposes values where the scores have been good."""

    def accuracy(trial):
        return 1 - abs(trial.hyperparameters.values["model.depth"] - 3) / 10

    tried = run(open_oracle(tmp_path, "bayesian", 18), accuracy=accuracy)
    depths = [one["model.depth"] for one in tried]
    assert depths[9:].count(3) > 5


def test_bayesian_ignores_how_far_trials_diverged(tmp_path):
    """One loss in three is huge: the differences between the others remain visible."""

    def score(trial):
        return -1e6 if trial.hyperparameters.values["model.depth"] == 1 else 0.5 + int(trial.trial_id) / 100

    oracle = open_oracle(tmp_path, "bayesian", 18)
    run(oracle, accuracy=score)
    y = oracle.vectorize_trials()[1]
    assert max(y) < 1
    assert len(set(y.tolist())) > 3


def run_with_failures(oracle, fails, accuracy):
    """The values of all trials, of which some fail."""
    tried = []
    while (trial := oracle.create_trial("worker")).status == "RUNNING":
        tried.append(trial.hyperparameters.values)
        end(oracle, trial, accuracy(tried[-1]), "FAILED" if fails(tried[-1]) else "COMPLETED")
    return tried


@pytest.mark.slow
def test_bayesian_learns_from_failed_trials(tmp_path):
    """The scores rise toward values that violate a constraint; it does not stay there."""
    oracle = open_oracle(tmp_path, "bayesian", 24, ["model.width=16..64", "model.dropout=0..0.5"])
    tried = run_with_failures(oracle, lambda one: one["model.width"] > 40, lambda one: one["model.width"] / 64)
    later = [one["model.width"] <= 40 for one in tried[8:]]
    assert sum(later) > len(later) / 2


def test_bayesian_searches_around_where_it_starts(tmp_path):
    """The start is better than all trials, which do not show where it is."""
    oracle = open_oracle(tmp_path, "bayesian", 24)
    space = grammar.parse(LINES, experiments.find("digits")())
    oracle.start = parameters.default_values(space), 0.9
    assert oracle.start[0] == {"fit.learning_rate": 2e-3, "model.depth": 2}
    tried = run(oracle, accuracy=lambda one: 0.3)
    near = [one["model.depth"] == 2 and 1e-3 < one["fit.learning_rate"] < 4e-3 for one in tried]
    assert any(near[8:11])


def test_bayesian_proposes_nothing_twice(tmp_path):
    tried = run(open_oracle(tmp_path, "bayesian", 14, ["model.depth=1..6"]))
    assert sorted(one["model.depth"] for one in tried) == [1, 2, 3, 4, 5, 6]


def test_bayesian_keeps_to_ranges_of_integers(tmp_path):
    """The best is the upper bound, which Keras Tuner's own oracle exceeds by one."""
    lines = ["model.width=16..64:log", "model.dropout=0..0.5"]
    tried = run(
        open_oracle(tmp_path, "bayesian", 12, lines), accuracy=lambda one: one.hyperparameters.values["model.width"]
    )
    assert max(one["model.width"] for one in tried) == 64


def test_bayesian_has_few_random_trials_where_only_hours_limit_it(tmp_path):
    oracle = open_oracle(tmp_path, "bayesian", None, [*LINES, "model.dropout=0..0.5", "model.width=16..64"])
    assert oracle.num_initial_points == 10


def test_hyperband_replaces_trials_that_fail_in_the_first_round(tmp_path):
    oracle = open_oracle(tmp_path, "hyperband", None, epochs=9)
    before = oracle.total
    tried = run_with_failures(oracle, lambda one: one["fit.learning_rate"] > 1e-3, lambda one: 0.5)
    completed = [trial for trial in oracle.trials.values() if trial.status == "COMPLETED"]
    assert len(tried) == oracle.total > before
    assert len(completed) == before
    assert max(one["tuner/round"] for one in tried) == 2


def test_hyperband_ends_where_all_fail(tmp_path):
    oracle = open_oracle(tmp_path, "hyperband", None, epochs=9)
    assert len(run_with_failures(oracle, lambda _: True, lambda _: 0.5)) < 3 * oracle.num_planned


def test_unknown_tuner(tmp_path):
    with pytest.raises(UserError, match="Unknown tuner 'bayes'"):
        open_oracle(tmp_path, "bayes")


@pytest.mark.parametrize("trials", [None, 5, 1000])
@pytest.mark.parametrize("tuner", ["grid", "hyperband"])
def test_the_total_is_known_before(tmp_path, tuner, trials):
    oracle = open_oracle(tmp_path, tuner, trials, GRID if tuner == "grid" else LINES)
    assert len(run(oracle)) == oracle.total


def test_the_total_of_a_grid_counts_ranges_as_the_grid_samples_them(tmp_path):
    lines = ("model.depth=1..2", "fit.learning_rate=1e-4..1e-2:log", "model.dropout=0..0.2:step=0.1")
    oracle = open_oracle(tmp_path / "grid", "grid", None, lines)
    assert len(run(oracle)) == oracle.total == 2 * 11 * 3
    assert open_oracle(tmp_path / "random", "random", None, lines).total is None


def test_trials_are_numbered(tmp_path):
    names = [one["trial"] for one in run(open_oracle(tmp_path, "hyperband", 5))]
    assert names == list(map(str, range(5)))
    assert len(list(tmp_path.glob("trial_*"))) == 5
