"""Keras Tuner's oracles, which choose the values of each trial, with persistent state."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from pipelines.errors import unknown
from tuning import _compat
from tuning.objectives import Objective, outlier_bound
from tuning.oracles.gaussian_process import GaussianProcess
from tuning.oracles.persistent import PersistentOracle
from tuning.search_space.parameters import Values

BELOW_ONE = 1 - 1e-9  # Keras Tuner converts 1 to the integer after a logarithmic range
DEFAULT_TRIALS = 30
NO_LIMIT = 10**9  # of consecutive failed trials: the sweep decides about those
TUNERS = ("random", "grid", "bayesian", "hyperband")


class RandomSearch(PersistentOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random values."""


class GridSearch(PersistentOracle, _compat.GridSearchOracle):
    """All values, one after another; of each range without a step its lowest value and ten more."""

    def reload(self) -> None:
        """Restores the state, and the place in the grid, which Keras Tuner does not save."""
        super().reload()
        values = {trial_id: trial.hyperparameters.values for trial_id, trial in self.trials.items()}
        combinations = functools.cmp_to_key(self.compare)
        for trial_id in sorted(values, key=lambda trial_id: combinations(values[trial_id])):
            self.append(trial_id)

    @property
    def total(self) -> int | float:
        """The number of combinations, or the maximum number of trials if that is lower."""
        return min(self._num_combinations, self.max_trials or math.inf)

    @functools.cached_property
    def _num_combinations(self) -> int:
        space = self.hyperparameters.space
        parents = {condition.name for parameter in space for condition in parameter.conditions}

        def count(first: int, values: Mapping[str, Any]) -> int:
            """Combinations of the parameters from index `first` on, given the values of the parents before it."""
            if first == len(space):
                return 1
            parameter = space[first]
            if not all(condition.is_active(values) for condition in parameter.conditions):
                return count(first + 1, values)
            options = {parameter.default, *parameter.values}
            if parameter.name in parents:
                return sum(count(first + 1, {**values, parameter.name: value}) for value in options)
            return len(options) * count(first + 1, values)

        return count(0, {})


class BayesianOptimization(PersistentOracle, _compat.BayesianOptimizationOracle):
    """Values with the best lower confidence bound, by a Gaussian process that is fitted to the trials so far.

    In contrast to Keras Tuner's, it also learns from `start` and from failed trials, whose score is the worst of the
    completed ones, and proposes nothing twice. Diverged trials count as no worse than `outlier_bound`: next to a loss
    of 1e6 the process would not resolve the difference between 0.004 and 0.04.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Proposes values: the same after every restart, though Keras Tuner does not save its random state."""
        self.seed_random_state([self.seed, len(self.start_order)])
        proposal = super().populate_space(trial_id)
        if proposal["status"] == TrialStatus.RUNNING and self.is_duplicate(proposal["values"]):
            return self.random_values()
        return proposal

    def make_regressor(self, **options: Any) -> GaussianProcess:
        """Returns the Gaussian process."""
        return GaussianProcess(**options)

    def vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns points (trials, dimensions) in [0, 1] and scores (trials,) to minimize."""
        x, y = map(list, super().vectorize_trials())
        if self.start is not None:
            values, score = self.start
            x.append(self._vector(values))
            y.append(-score if self.objective.direction == "max" else score)
        scores = np.minimum(y, outlier_bound(y))
        failed = [trial.hyperparameters.values for trial in self.trials.values() if trial.status == TrialStatus.FAILED]
        points = np.array([*x, *map(self._vector, failed)])
        return points, np.array([*scores, *([scores.max()] * len(failed))])

    def vector_to_values(self, vector: np.ndarray) -> Values:
        """Converts a point (dimensions,) to values."""
        return super().vector_to_values(np.minimum(vector, BELOW_ONE))

    def _vector(self, values: Values) -> list[float]:
        """Converts values to a point, as Keras Tuner does for completed trials."""
        space = self.hyperparameters.copy()
        space.values = values
        return [
            parameter.value_to_prob(
                values[parameter.name] if space.is_active(parameter) and parameter.name in values else parameter.default
            )
            for parameter in self.tunable_space()
        ]


class Hyperband(PersistentOracle, _compat.HyperbandOracle):
    """Many short trials, of which the best continue (Li et al. 2018, JMLR 18, pages 1-52)."""

    @property
    def total(self) -> int | float:
        """The number of trials of all brackets, or the maximum number if that is lower."""
        with self.lock():
            return min(self.num_planned + self._num_replaced, self.max_trials or math.inf)

    @property
    def min_trial_epochs(self) -> int:
        """The number of epochs of its shortest trials."""
        return self.bracket_epochs(self.num_brackets - 1, 0)

    @property
    def num_planned(self) -> int:
        """The number of trials of all brackets where none fails."""
        brackets = range(self.num_brackets)
        return sum(self.bracket_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))

    @property
    def _num_replaced(self) -> int:
        """Trials that failed in a first round."""
        return sum(
            trial.status == TrialStatus.FAILED and not trial.hyperparameters.values["tuner/round"]
            for trial in self.trials.values()
        )

    def end_trial(self, trial: Any) -> None:
        """Ends a trial; one that fails in a first round is replaced, or too few would be left for the next rounds."""
        with self.lock():
            super().end_trial(trial)
            failed = self.trials[trial.trial_id].status == TrialStatus.FAILED
            if failed and self._num_replaced <= self.num_planned:
                for bracket in self.open_brackets:
                    first = bracket["rounds"][0]
                    bracket["rounds"][0] = [entry for entry in first if entry["id"] != trial.trial_id]
                self.save()


Oracle = RandomSearch | GridSearch | BayesianOptimization | Hyperband


def build(
    tuner: str,
    hyperparameters: keras_tuner.HyperParameters,
    objective: Objective,
    trials: int | None,
    max_epochs: int,
    seed: int,
) -> Oracle:
    """Builds the oracle of a tuner.

    Args:
        tuner: One of `TUNERS`.
        hyperparameters: The search space.
        objective: The score to optimize.
        trials: The maximum number of trials, or None.
        max_epochs: The number of epochs of hyperband's longest trials.
        seed: Seed of all random choices, 0 or more.

    Raises:
        UserError: If the tuner is unknown.
    """
    if tuner not in TUNERS:
        raise unknown("tuner", tuner, TUNERS)
    options = {
        "objective": keras_tuner.Objective(objective.name, "max" if objective.maximize else "min"),
        "hyperparameters": hyperparameters,
        "allow_new_entries": False,
        "seed": seed + 1,  # Keras Tuner replaces 0 by a random seed
        "max_consecutive_failed_trials": NO_LIMIT,
    }
    if tuner == "hyperband":
        oracle = Hyperband(max_epochs=max_epochs, **options)
        oracle.max_trials = trials  # its constructor does not take the limit, but it keeps to it
        return oracle
    options["max_trials"] = trials
    if tuner == "bayesian":
        # Keras Tuner's own number, 3 for each parameter, would make a short sweep a random search.
        initial = max(4, min(3 * len(hyperparameters.space), (trials or DEFAULT_TRIALS) // 3))
        return BayesianOptimization(num_initial_points=initial, **options)
    return RandomSearch(**options) if tuner == "random" else GridSearch(**options)
