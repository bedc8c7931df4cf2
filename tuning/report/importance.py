"""The importance of each parameter: permutation importances of a random forest, and how reliable they are."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from tuning.report.results import Results, Trial
from tuning.report.values import finite_number, format_value
from tuning.search_space.parameters import Parameter, merge_by_name

MIN_TRIALS = 8  # fewer say nothing about several parameters
MIN_R_SQUARED = 0.3  # a forest that explains less of the variance has not learned what matters
TREES = 60
ROUNDS = 5  # with other trees and other permutations
SHUFFLES = 4  # of each parameter in each round
SEED = 0

Permutation = tuple[np.ndarray, np.ndarray]  # (columns, rows) of the encoded trials


@dataclasses.dataclass(frozen=True)
class Importance:
    """A parameter's share of the variance of the scores, and its standard deviation over the rounds."""

    name: str
    share: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Importances:
    """Of all parameters, the most important first; if `rows` is empty, `reason` says why.

    `r_squared` is the forest's on trials that it was not trained on: 1 explains all differences, 0 or less nothing.
    """

    rows: tuple[Importance, ...] = ()
    r_squared: float | None = None
    reason: str = ""

    @property
    def is_reliable(self) -> bool:
        """Whether the forest explains enough for its importances to mean something."""
        return self.r_squared is not None and self.r_squared >= MIN_R_SQUARED

    @property
    def summary(self) -> str:
        """A sentence on their reliability, or on why there are none."""
        if self.r_squared is None:
            return self.reason
        explained = f"The forest explains {100 * max(self.r_squared, 0):.0f} % of the differences between trials"
        doubt = "" if self.is_reliable else f": below {100 * MIN_R_SQUARED:.0f} % the importances mean little"
        return f"{explained}{doubt}."


def importances(results: Results) -> Importances:
    """Computes each parameter's share of the differences in the first objective between completed trials.

    A random forest (Breiman 2001, Machine Learning 45) learns the score from the parameters. Each trial is predicted by
    the trees that were not trained on it (out of bag), as it is, and with the values of one parameter permuted among
    the trials (permutation importance, section 10 there). The importance is half the increase of the mean squared
    error, divided by the variance of the scores. It is half, because two independent values differ by twice their
    variance (Gregorutti, Michel and Saint-Pierre 2017, arXiv:1310.5726, proposition 1): so 1 means that a parameter
    decides all, and 0 that it decides nothing. Where parameters interact, each has its part of their interaction, and
    the sum may exceed 1; by chance an importance may be a little below 0.

    A parameter that is active in some trials only is permuted among those. One that others depend on is permuted
    together with them, since their values reveal its own: its importance includes theirs.

    Diverged trials count as `Objective.worst_on_scale`, or they would be the only differences.

    The spread is that of the measurement over `ROUNDS` repetitions. It is not that between two sweeps.
    """
    objective, parameters = results.objectives[0], merge_by_name(results.parameters)
    trials = [trial for trial in results.done if finite_number(trial.scores.get(objective.name)) is not None]
    if len(trials) < MIN_TRIALS:
        return Importances(reason=f"Importances need {MIN_TRIALS} finished trials; there are {len(trials)}.")
    scores = np.array([trial.scores[objective.name] for trial in trials], float)
    worst = objective.worst_on_scale(scores.tolist())
    scores = np.maximum(scores, worst) if objective.maximize else np.minimum(scores, worst)
    scores /= np.abs(scores).max() or 1.0  # the square of a loss that has diverged may overflow
    if math.isclose(scores.min(), scores.max(), rel_tol=1e-9):
        return Importances(reason=f"All trials have the same {objective.title}: no parameter makes a difference.")
    columns, encoded = _encode(parameters, trials)
    permutations = [_permutation(parameter, parameters, columns, trials) for parameter in parameters]
    rounds = [_measure(encoded, scores, permutations, seed) for seed in range(SEED, SEED + ROUNDS)]
    shares = np.array([importance for _, importance in rounds])
    rows = [
        Importance(parameter.name, float(mean), float(spread))
        for parameter, mean, spread in zip(parameters, shares.mean(0), shares.std(0), strict=True)
    ]
    r_squared = float(np.mean([r_squared for r_squared, _ in rounds]))
    return Importances(tuple(sorted(rows, key=lambda row: -row.share)), r_squared)


def _permutation(
    parameter: Parameter, parameters: Sequence[Parameter], columns: dict[str, np.ndarray], trials: Sequence[Trial]
) -> Permutation:
    """The columns of a parameter and those that depend on it, and the trials in which it is active."""
    names = {parameter.name, *_dependents(parameter.name, parameters)}
    active = [i for i, trial in enumerate(trials) if parameter.name in trial.values]
    return np.concatenate([columns[name] for name in names]), np.array(active, int)


def _dependents(name: str, parameters: Sequence[Parameter]) -> set[str]:
    """The names of the parameters whose conditions depend on one, over all generations."""
    result: set[str] = set()
    waiting = [name]
    while waiting:
        parent = waiting.pop()
        children = {parameter.name for parameter in parameters if parent in dict(parameter.conditions)} - result
        result |= children
        waiting += children
    return result


def _encode(parameters: Sequence[Parameter], trials: Sequence[Trial]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Encodes trials as ({name: its columns}, array (trials, columns)): numbers in one column, categories one-hot.

    An inactive number is below all others; an inactive category is one more category.
    """
    columns, parts, width = {}, [], 0
    for parameter in parameters:
        values = [trial.values.get(parameter.name) for trial in trials]
        if parameter.low is not None:
            part = _encode_numbers(parameter, parameter.low, [finite_number(value) for value in values])
        else:
            texts = [None if value is None else format_value(value) for value in values]
            part = np.array([[text == category for category in dict.fromkeys(texts)] for text in texts], float)
        columns[parameter.name] = np.arange(width, width + part.shape[1])
        parts.append(part)
        width += part.shape[1]
    padding = np.zeros((len(trials), 1))  # a forest needs at least one column
    return columns, np.concatenate([*parts, padding], axis=1)


def _encode_numbers(parameter: Parameter, lowest: float, numbers: Sequence[float | None]) -> np.ndarray:
    """Numbers, or their logarithms, as a column (trials, 1); None is below all others."""
    if parameter.log:
        numbers, lowest = [math.log(number) if number and number > 0 else None for number in numbers], math.log(lowest)
    span = max([1.0, *(abs(number - lowest) for number in numbers if number is not None)])
    return np.array([[lowest - span if number is None else number] for number in numbers], float)


def _measure(
    encoded: np.ndarray, scores: np.ndarray, permutations: Sequence[Permutation], seed: int
) -> tuple[float, np.ndarray]:
    """Runs one round.

    Args:
        encoded: The trials, (trials, columns).
        scores: Their scores, (trials,).
        permutations: What to permute, for each parameter.
        seed: Of the trees and the permutations.

    Returns:
        R² on out-of-bag trials, and the importances (parameters,).
    """
    generator = np.random.default_rng(seed)
    versions = [encoded]
    for columns, rows in permutations:
        for _ in range(SHUFFLES):
            version = encoded.copy()
            version[np.ix_(rows, columns)] = encoded[np.ix_(generator.permutation(rows), columns)]
            versions.append(version)
    stacked = np.stack(versions)  # (versions, trials, columns)
    forest = RandomForestRegressor(TREES, random_state=seed).fit(encoded, scores)
    sums, counts = np.zeros(stacked.shape[:2]), np.zeros(len(scores))
    for tree, in_bag in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        rows = np.setdiff1d(np.arange(len(scores)), in_bag)
        predictions = tree.predict(stacked[:, rows].reshape(-1, encoded.shape[1]))
        sums[:, rows] += predictions.reshape(len(stacked), -1)
        counts[rows] += 1
    predicted = counts > 0
    errors = (sums[:, predicted] / counts[predicted] - scores[predicted]) ** 2
    error, *permuted_errors = errors.mean(1) / scores.var()
    increase = np.reshape(permuted_errors, (len(permutations), SHUFFLES)).mean(1) - error
    return 1 - error, increase / 2
