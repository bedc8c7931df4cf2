"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365)."""

from typing import NamedTuple

import numpy as np

from tfrec.explain.example import Example

TOLERANCE = 0.01  # of completeness, see `Integrated.error`
POINTS = (16, 32, 64, 128, 256)  # of the integral; more as long as the error is above the tolerance


class Integrated(NamedTuple):
    """Relevances, signed, of the shape of the features, and how far their sum is from the difference of the scores.

    `error` is that distance, relative to the larger of the difference and 1.
    """

    relevance: np.ndarray
    error: float


def integrate(example: Example) -> Integrated:
    """Integrates the gradient from the baseline to the features (equation 1), by Gauss-Legendre quadrature.

    Args:
        example: What is explained.

    Returns:
        The relevance of every feature, positive where it speaks for what is explained.
    """
    baseline, change = example.baseline, example.features - example.baseline
    before, after = example.scores(np.stack([baseline, example.features]))
    for points in POINTS:
        places, weights = np.polynomial.legendre.leggauss(points)
        shape = (-1, *(1,) * change.ndim)
        path = baseline + ((places + 1) / 2).reshape(shape).astype("float32") * change
        mean = (example.gradients(path) * (weights / 2).reshape(shape)).sum(axis=0)
        relevance = mean * change
        error = abs(float(relevance.sum()) - (after - before)) / max(abs(after - before), 1.0)
        if error <= TOLERANCE:
            break
    return Integrated(relevance.astype("float32"), float(error))


def integrated_gradients(example: Example) -> np.ndarray:
    """The map (height, width) of `integrate`: the sum over the channels of a picture."""
    relevance = integrate(example).relevance
    return relevance.sum(axis=-1) if relevance.ndim == 3 else relevance
