"""Keras Tuner's oracles, which choose the values of each trial, with the memory of `durable`."""

import functools
import math

import keras_tuner
import numpy as np
import scipy.linalg
import sklearn.gaussian_process
from keras_tuner.engine.trial import TrialStatus

from pipelines.errors import unknown
from tuning.durable import Durable
from tuning.objectives import fence

BELOW_ONE = 1 - 1e-9  # to Keras Tuner, 1 is the whole number above a range's last
USUAL = 30  # trials, where nobody knows how many there will be
NO_LIMIT = 10**9  # of trials that fail one after another: the sweep decides about those
TUNERS = ("random", "grid", "bayesian", "hyperband")


class Random(Durable, keras_tuner.oracles.RandomSearchOracle):
    """Any values."""


class Grid(Durable, keras_tuner.oracles.GridSearchOracle):
    """All values, one after another; of each range without a step its lowest value and ten more."""

    def reload(self):
        """Finds its place again, which Keras Tuner does not keep: behind every combination whose next is missing."""
        super().reload()
        key = functools.cmp_to_key(lambda one, other: self._compare(self._values(one), self._values(other)))
        for trial_id in sorted(self.trials, key=key):
            self._ordered_ids.insert(trial_id)
            self._populate_next.append(trial_id)

    def _values(self, trial_id):
        return self.trials[trial_id].hyperparameters.values

    @property
    def total(self):
        """How many combinations there are, or trials if those are fewer."""
        return min(self._combinations, self.max_trials or math.inf)

    @functools.cached_property
    def _combinations(self):
        space = self.hyperparameters.space
        parents = {condition.name for one in space for condition in one.conditions}

        def count(first, values):
            """Combinations of those from `first` on, beside the values of parents before it."""
            if first == len(space):
                return 1
            one = space[first]
            if not all(condition.is_active(values) for condition in one.conditions):
                return count(first + 1, values)
            options = {one.default, *one.values}
            if one.name in parents:
                return sum(count(first + 1, {**values, one.name: value}) for value in options)
            return len(options) * count(first + 1, values)

        return count(0, {})


class Bayesian(Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """What a Gaussian process that knows the trials so far has hopes in.

    Otherwise than Keras Tuner's it learns also from `start` and from trials that failed, which count as the worst that
    ended well, and tries nothing twice. What has come to nothing counts as no worse than `fence`: beside a loss of 0.6
    the process would not see what tells 0.004 from 0.04.
    """

    def populate_space(self, trial_id):
        """Values for a trial: the same after every start, though Keras Tuner does not keep where its chance stood."""
        self._random_state = np.random.RandomState([self.seed, len(self.start_order)])
        found = super().populate_space(trial_id)
        if found["status"] == TrialStatus.RUNNING and self._duplicate(found["values"]):
            return self._random_populate_space()
        return found

    def _make_gpr(self):
        return GaussianProcess(**super()._make_gpr().get_params(deep=False))

    def _vectorize_trials(self):
        x, y = map(list, super()._vectorize_trials())
        if self.start is not None:
            values, score = self.start
            x.append(self._vector(values))
            y.append(-score if self.objective.direction == "max" else score)
        y = np.minimum(y, fence(y))
        failed = [one.hyperparameters.values for one in self.trials.values() if one.status == TrialStatus.FAILED]
        return np.array([*x, *map(self._vector, failed)]), np.array([*y, *([y.max()] * len(failed))])

    def _vector(self, values):
        """Values as numbers from 0 to 1, as Keras Tuner has those of others."""
        parameters = self.hyperparameters.copy()
        parameters.values = values
        return [
            one.value_to_prob(values[one.name] if parameters.is_active(one) and one.name in values else one.default)
            for one in self._nonfixed_space()
        ]

    def _vector_to_values(self, vector):
        return super()._vector_to_values(np.minimum(vector, BELOW_ONE))


class GaussianProcess(sklearn.gaussian_process.GaussianProcessRegressor):
    """scikit-learn's, which the oracle asks some 20,000 times for each trial, about one point at a time.

    Without scikit-learn's checks, in a quarter of the time: a trial of a few seconds would else wait as long for its
    values as it trains. Rasmussen & Williams 2006, algorithm 2.1.
    """

    def predict(self, x, return_std=False, return_cov=False):
        """The mean at points (n, dimensions), and with `return_std` the standard deviation."""
        if not return_std or return_cov or not hasattr(self, "L_"):  # not fitted yet
            return super().predict(x, return_std, return_cov)
        near = self.kernel_(x, self.X_train_)
        part = scipy.linalg.solve_triangular(self.L_, near.T, lower=True, check_finite=False)
        variance = np.maximum(self.kernel_.diag(x) - (part * part).sum(axis=0), 0.0)
        mean = near @ self.alpha_ * self._y_train_std + self._y_train_mean
        return mean, np.sqrt(variance) * self._y_train_std


class Hyperband(Durable, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best go on (Li et al. 2018, JMLR 18, pages 1-52)."""

    @property
    def total(self):
        """All of its brackets' trials, or as many as are allowed if those are fewer."""
        with self.alone():
            return min(self._planned + self._replaced, self.max_trials or math.inf)

    @property
    def shortest(self):
        """Epochs of its shortest trials."""
        return self._get_epochs(self._get_num_brackets() - 1, 0)

    @property
    def _planned(self):
        brackets = range(self._get_num_brackets())
        return sum(self._get_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))

    @property
    def _replaced(self):
        """Trials that failed in a first round."""
        return sum(
            trial.status == TrialStatus.FAILED and not trial.hyperparameters.values["tuner/round"]
            for trial in self.trials.values()
        )

    def end_trial(self, trial):
        """Ends a trial. One that fails in a first round makes room for another, or too few would be left to go on."""
        with self.alone():
            super().end_trial(trial)
            if self.trials[trial.trial_id].status == TrialStatus.FAILED and self._replaced <= self._planned:
                for bracket in self._brackets:
                    first = bracket["rounds"][0]
                    bracket["rounds"][0] = [one for one in first if one["id"] != trial.trial_id]
                self.save()


def build(tuner, hyperparameters, objective, trials, max_epochs, seed):
    """The oracle of a tuner's name; `objective` is one of ours, `trials` the most it may begin, or None.

    `max_epochs` are those of hyperband's longest trials. UserError for an unknown name.
    """
    if tuner not in TUNERS:
        raise unknown("tuner", tuner, TUNERS)
    options = {
        "objective": keras_tuner.Objective(objective.name, "max" if objective.rises else "min"),
        "hyperparameters": hyperparameters,
        "allow_new_entries": False,
        "seed": seed + 1,  # 0 would mean any
        "max_consecutive_failed_trials": NO_LIMIT,
    }
    if tuner == "hyperband":
        oracle = Hyperband(max_epochs=max_epochs, **options)
        oracle.max_trials = trials  # it takes none, and yet keeps to it
        return oracle
    options["max_trials"] = trials
    if tuner == "bayesian":
        # Keras Tuner's own, 3 for each parameter, would leave a short sweep to chance.
        options["num_initial_points"] = max(4, min(3 * len(hyperparameters.space), (trials or USUAL) // 3))
    return {"random": Random, "grid": Grid, "bayesian": Bayesian}[tuner](**options)
