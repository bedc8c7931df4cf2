"""Scores that separate examples of a classifier's classes from anything else, and how well they do.

The higher each score, the more an example is like those of the training:

- "maximum_probability", the baseline (Hendrycks & Gimpel 2017, arXiv:1610.02136);
- "energy", the logarithm of the summed exponentials of the logits (Liu et al. 2020, arXiv:2010.03759);
- "mahalanobis", the negative squared Mahalanobis distance of the features to the mean of the nearest class, with one
  covariance for all classes (Lee et al. 2018, arXiv:1807.03888), shrunk by the method of Ledoit and Wolf (2004).
"""

from typing import Any

import numpy as np
from scipy import linalg, optimize, special, stats
from sklearn import covariance
from sklearn.metrics import roc_auc_score

from tfrec.evaluation.metrics.classification import wilson_interval

ACCEPTED = 0.95  # of the examples of the classes, at the threshold
SMALLEST = 1e-9  # step off the ends of the range of areas


def energy(logits: np.ndarray) -> np.ndarray:
    """Computes the negative energy at temperature 1.

    Args:
        logits: (examples, classes).

    Returns:
        (examples,).
    """
    return special.logsumexp(np.asarray(logits, "float64"), axis=-1)


class Mahalanobis:
    """Distances to classes in a space of features.

    Args:
        features: Of training examples, (examples, units).
        labels: Indices of classes, (examples,).
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray) -> None:
        features = np.asarray(features, "float64")
        classes, places = np.unique(labels, return_inverse=True)
        self.means = np.stack([features[places == i].mean(axis=0) for i in range(len(classes))])
        spread, self.shrinkage = covariance.ledoit_wolf(features - self.means[places], assume_centered=True)
        floor = 1e-9 * max(float(np.trace(spread)) / len(spread), 1e-12)  # of units that are constant
        self._factor = linalg.cholesky(spread + floor * np.eye(len(spread)), lower=True)
        self._whitened = self._whiten(self.means)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The negative squared distance of each example to the nearest mean, (examples, units) -> (examples,)."""
        white = self._whiten(np.asarray(features, "float64"))
        distances = [((white - mean) ** 2).sum(axis=1) for mean in self._whitened]
        return -np.min(distances, axis=0)

    def _whiten(self, values: np.ndarray) -> np.ndarray:
        return linalg.solve_triangular(self._factor, values.T, lower=True).T


def compare(inside: np.ndarray, outside: np.ndarray) -> dict[str, Any]:
    """Measures how well a score separates.

    Args:
        inside: Scores of examples of the classes, (examples,).
        outside: Scores of other examples.

    Returns:
        A dict of JSON values: "auroc", the area under the receiver operating characteristic, with "auroc_interval";
        "fpr_at_95_tpr", the fraction of other examples that is accepted where 95 % of those of the classes are, with
        "fpr_interval", Wilson's; "threshold", the lowest score that is accepted there. Intervals are at 95 %.
    """
    is_inside = np.repeat([1, 0], [len(inside), len(outside)])
    area = float(roc_auc_score(is_inside, np.concatenate([inside, outside])))
    threshold = float(np.quantile(inside, 1 - ACCEPTED, method="lower"))
    accepted = int((outside >= threshold).sum())
    return {
        "auroc": area,
        "auroc_interval": auroc_interval(area, len(inside), len(outside)),
        "fpr_at_95_tpr": accepted / len(outside),
        "fpr_interval": wilson_interval(accepted, len(outside)),
        "threshold": threshold,
    }


def auroc_interval(area: float, inside: int, outside: int) -> list[float]:
    """Computes the 95 % interval of an area, by method 5 of Newcombe 2006, which has a width at an area of 1 too.

    >>> [round(bound, 4) for bound in auroc_interval(1.0, 50, 50)]
    [0.9603, 1.0]

    Args:
        area: From 0 to 1.
        inside: Number of examples of the classes.
        outside: Number of others.

    Returns:
        [low, high].
    """
    quantile, mean_size = stats.norm.ppf(0.975), (inside + outside) / 2 - 1

    def excess(bound: float) -> float:
        """Squared distance to the area, minus that of the interval's end (the variance of Hanley and McNeil 1982)."""
        parts = 1 + mean_size * (1 - bound) / (2 - bound) + mean_size * bound / (1 + bound)
        return (area - bound) ** 2 - quantile**2 * bound * (1 - bound) * parts / (inside * outside)

    low = optimize.brentq(excess, 0.0, max(area - SMALLEST, 0.0)) if area > SMALLEST else 0.0
    high = optimize.brentq(excess, min(area + SMALLEST, 1.0), 1.0) if area < 1 - SMALLEST else 1.0
    return [float(low), float(high)]
