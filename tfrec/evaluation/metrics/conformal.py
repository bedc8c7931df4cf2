"""Prediction sets that hold the right class with a guaranteed frequency: split conformal prediction.

A class is in the set where its probability reaches a threshold, one minus a quantile of the nonconformity 1 - p of the
right class on data that the network was not trained on (least ambiguous sets, "LAC", Sadinle, Lei & Wasserman 2019,
arXiv:1609.00451): of all sets with the same coverage these are the smallest on average. The most probable class is
always in the set, so that no set is empty; where the accuracy is above the level, the coverage then is too.

Of new examples that are like those of the fit, the sets hold the right class with at least the level's probability
(Vovk et al. 2005). This is a mean over all fits and all examples: for one fit on n examples the coverage varies around
the level as a beta distribution (Vovk 2012, arXiv:1209.2673), and does not hold for each class.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfrec.evaluation.metrics.classification import wilson_interval

CONFIDENCE = 0.99  # of the intervals


def rank(examples: int, level: float) -> int:
    """Which of the sorted nonconformities of the fit is the quantile, counted from 1; above `examples` none is."""
    return int(np.ceil(round((examples + 1) * level, 9)))


def fit_threshold(probabilities: np.ndarray, labels: np.ndarray, level: float) -> float:
    """Chooses the threshold of the sets.

    Args:
        probabilities: (examples, classes) of data that the network was not trained on.
        labels: class indices, (examples,).
        level: the coverage to guarantee, above 0 and below 1.

    Returns:
        The lowest probability of a class in a set; 0 where the examples are too few for the level, so that a set holds
        every class.
    """
    chosen = np.sort(np.take_along_axis(probabilities, labels[:, None], axis=-1)[:, 0])
    place = rank(len(labels), level)
    return float(chosen[len(labels) - place]) if place <= len(labels) else 0.0


def sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Builds the prediction sets.

    Args:
        probabilities: (examples, classes).
        threshold: what `fit_threshold` returned.

    Returns:
        bool (examples, classes), whether a class is in the set.
    """
    best = probabilities.argmax(axis=-1)[:, None] == np.arange(probabilities.shape[-1])
    return (probabilities >= threshold) | best


def score(
    probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    level: float,
    threshold: float,
    examples: int,
) -> dict[str, Any]:
    """Measures the sets of a split.

    Args:
        probabilities: (examples, classes).
        labels: class indices, (examples,).
        class_names: names of the classes.
        level: the coverage that the threshold was fitted for.
        threshold: what `fit_threshold` returned.
        examples: number of examples of that fit.

    Returns:
        A dict of JSON values: "level", "threshold", "fit_examples"; "coverage", the part of the examples whose set
        holds their class, with "coverage_interval", Wilson's at 99 %; "expected_interval", in which the coverage of
        this number of examples lies in 99 % of the cases, given the level and the number of examples of the fit, as
        long as the most probable class had no special place; "mean_size" and "sizes", {size: examples}; "classes" with
        "label", "examples", "coverage", "coverage_interval" and "mean_size" of each class that has examples.
    """
    members = sets(probabilities, threshold)
    size, covered = members.sum(axis=-1), members[np.arange(len(labels)), labels]
    values, counts = np.unique(size, return_counts=True)
    return {
        "level": level,
        "threshold": threshold,
        "fit_examples": examples,
        **_coverage(covered),
        "expected_interval": expected_interval(level, examples, len(labels)),
        "mean_size": float(size.mean()),
        "sizes": {str(value): int(count) for value, count in zip(values, counts, strict=True)},
        "classes": [
            {"label": name, "examples": int(own.sum()), **_coverage(covered[own]), "mean_size": float(size[own].mean())}
            for name, own in ((name, labels == i) for i, name in enumerate(class_names))
            if own.any()
        ],
    }


def expected_interval(level: float, fit: int, examples: int) -> list[float]:
    """The 99 % interval of the coverage of some examples, by a threshold that is fitted on others, [low, high].

    Without ties the coverage is beta-binomial (Angelopoulos & Bates 2021, arXiv:2107.07511, appendix C).
    """
    place = rank(fit, level)
    if place > fit:
        return [1.0, 1.0]
    covered = stats.betabinom(examples, place, fit + 1 - place)
    return [float(covered.ppf(each)) / examples for each in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)]


def _coverage(covered: np.ndarray) -> dict[str, Any]:
    interval = wilson_interval(int(covered.sum()), len(covered), CONFIDENCE)
    return {"coverage": float(covered.mean()), "coverage_interval": interval}
