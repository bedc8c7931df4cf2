"""Which parameters decide the score: permutation importances of a random forest, and how far to trust them."""

import dataclasses
import math

import numpy as np
from sklearn.ensemble import RandomForestRegressor

LEAST = 8  # trials; fewer say nothing of several parameters
TRUSTED = 0.3  # of the scores' variance; a forest that explains less has not found out what matters
TREES = 60
ROUNDS = 5  # other trees, other permutations
SHUFFLES = 4  # of each parameter in each round
SEED = 0


@dataclasses.dataclass(frozen=True)
class Importance:
    """A parameter's share of the scores' variance, and the standard deviation of that over the rounds."""

    name: str
    share: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Importances:
    """Of all parameters, the most important first; `rows` is empty where nothing can be told, and `reason` says why.

    `explained` is the forest's R² on trials that it has not seen: 1 is all of their differences, 0 or less nothing.
    """

    rows: tuple[Importance, ...] = ()
    explained: float | None = None
    reason: str = ""

    @property
    def trusted(self):
        """Whether the forest explains enough for its importances to mean something."""
        return self.explained is not None and self.explained >= TRUSTED

    @property
    def sentence(self):
        """How far to trust them, or why there are none."""
        if self.explained is None:
            return self.reason
        told = f"The forest explains {100 * max(self.explained, 0):.0f} % of the differences between trials"
        return f"{told}{'.' if self.trusted else f': below {100 * TRUSTED:.0f} % the importances mean little.'}"


def importances(results):
    """How much of the differences in the first objective rests on each parameter, by what `Results` has of done trials.

    A random forest (Breiman 2001, Machine Learning 45) learns the score from the parameters; each trial is predicted by
    the trees that have not seen it ("out of bag"), as it is and with one parameter's values exchanged among the trials
    (permutation importance, section 10 there). The importance is half the growth of the mean squared error, divided by
    the variance of the scores. It is half, because two independent values differ by twice their
    variance (Gregorutti, Michel and Saint-Pierre 2017, arXiv:1310.5726, proposition 1): so 1 means that a parameter
    decides all, and 0 that it decides nothing. Where parameters act together, each has its part of what they do
    together, and the sum may pass 1; by chance alone an importance may be a little below 0.

    A parameter that counts in some trials only is exchanged among those. One that others depend on is exchanged
    together with them, since their values say which one it had: its importance holds theirs.

    Trials that have come to nothing count as `Objective.worst`, or they alone would be all the differences there are.

    The spread is that of the measurement over `ROUNDS` repetitions. It does not say what another sweep would find.
    """
    objective, parameters = results.objectives[0], distinct(results.parameters)
    trials = [trial for trial in results.done if number(trial.scores.get(objective.name)) is not None]
    scores = np.array([trial.scores[objective.name] for trial in trials], float)
    if len(trials) < LEAST:
        return Importances(reason=f"Importances need {LEAST} finished trials; there are {len(trials)}.")
    scores = (np.maximum if objective.rises else np.minimum)(scores, objective.worst(scores.tolist()))
    scores /= np.abs(scores).max() or 1.0  # the square of a loss that has exploded may overflow
    if math.isclose(scores.min(), scores.max(), rel_tol=1e-9):
        return Importances(reason=f"All trials have the same {objective.title}: nothing decides it.")
    columns, encoded = _encode(parameters, trials)
    exchanges = [
        (
            np.concatenate([columns[name] for name in {parameter.name, *_dependants(parameter.name, parameters)}]),
            np.array([i for i, trial in enumerate(trials) if parameter.name in trial.values], int),
        )
        for parameter in parameters
    ]
    rounds = [_measure(encoded, scores, exchanges, seed) for seed in range(SEED, SEED + ROUNDS)]
    shares = np.array([lost for _, lost in rounds])
    rows = [
        Importance(parameter.name, float(mean), float(spread))
        for parameter, mean, spread in zip(parameters, shares.mean(0), shares.std(0), strict=True)
    ]
    explained = float(np.mean([explained for explained, _ in rounds]))
    return Importances(tuple(sorted(rows, key=lambda row: -row.share)), explained)


def distinct(parameters):
    """Parameters with each name once: those that share one, because never both count, with the values of all.

    Where one of them has choices and another a range, neither `choices` nor `low` holds: its values are what is seen.
    """
    groups = {}
    for parameter in parameters:
        groups.setdefault(parameter.name, []).append(parameter)
    return [_joined(group) if len(group) > 1 else group[0] for group in groups.values()]


def number(value):
    """A value as a finite float, or None where it is no number."""
    try:
        found = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found is not None and math.isfinite(found) else None


def spoken(value):
    """A value as text, the same whether it comes from a configuration or from the words of a space.

    >>> [spoken(value) for value in (True, "true", (3, 5), 0.000123456, 16, None)]
    ['true', 'true', '3 5', '0.0001235', '16', 'none']
    """
    if isinstance(value, (list, tuple)):
        return " ".join(map(spoken, value))
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _joined(group):
    conditions = tuple(condition for one in group for condition in one.conditions)
    joined = {"choices": (), "low": None, "high": None, "step": None, "conditions": conditions}
    if all(one.choices for one in group):
        joined["choices"] = tuple(dict.fromkeys(choice for one in group for choice in one.choices))
    elif not any(one.choices for one in group):
        joined |= {"low": min(one.low for one in group), "high": max(one.high for one in group)}
    together = {name: all(getattr(one, name) for one in group) for name in ("log", "whole")}
    return dataclasses.replace(group[0], **joined, **together)


def _dependants(name, parameters):
    """The names of the parameters whose counting hangs on one, over any number of steps."""
    found, waiting = set(), [name]
    while waiting:
        parent = waiting.pop()
        children = {one.name for one in parameters if parent in dict(one.conditions)} - found
        found |= children
        waiting += children
    return found


def _encode(parameters, trials):
    """({name: its columns}, float array (trials, columns)): numbers in one column, of categories each in its own.

    Not to count is a value below all others, or a category more.
    """
    columns, parts, width = {}, [], 0
    for parameter in parameters:
        values = [trial.values.get(parameter.name) for trial in trials]
        if parameter.low is not None:
            found = [number(value) for value in values]
            lowest = parameter.low
            if parameter.log:
                found, lowest = [math.log(one) if one and one > 0 else None for one in found], math.log(parameter.low)
            span = max([1.0, *(abs(one - lowest) for one in found if one is not None)])
            part = np.array([[lowest - span if one is None else one] for one in found], float)
        else:
            texts = [None if value is None else spoken(value) for value in values]
            part = np.array([[text == one for one in dict.fromkeys(texts)] for text in texts], float)
        columns[parameter.name] = np.arange(width, width + part.shape[1])
        parts.append(part)
        width += part.shape[1]
    return columns, np.concatenate([*parts, np.zeros((len(trials), 1))], axis=1)  # one at least, for a forest to read


def _measure(encoded, scores, exchanges, seed):
    """One round: (R² of trials that the forest has not seen, importances as a list)."""
    generator = np.random.default_rng(seed)
    versions = [encoded]
    for columns, rows in exchanges:
        for _ in range(SHUFFLES):
            version = encoded.copy()
            version[np.ix_(rows, columns)] = encoded[np.ix_(generator.permutation(rows), columns)]
            versions.append(version)
    versions = np.stack(versions)
    forest = RandomForestRegressor(TREES, random_state=seed).fit(encoded, scores)
    sums, counts = np.zeros(versions.shape[:2]), np.zeros(len(scores))
    for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.setdiff1d(np.arange(len(scores)), seen)
        sums[:, unseen] += tree.predict(versions[:, unseen].reshape(-1, encoded.shape[1])).reshape(len(versions), -1)
        counts[unseen] += 1
    asked = counts > 0
    errors = (sums[:, asked] / counts[asked] - scores[asked]) ** 2
    error, *changed = errors.mean(1) / scores.var()
    grown = np.reshape(changed, (len(exchanges), SHUFFLES)).mean(1) - error
    return 1 - error, grown / 2
