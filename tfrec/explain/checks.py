"""Whether a map explains anything: tests that a map of another network, or a random one, must fail.

The randomization test of Adebayo et al. 2018 (arXiv:1810.03292): a map that stays the same when the weights are random
does not depend on what the network has learned. Deletion and insertion of Petsiuk et al. 2018 (arXiv:1806.07421): the
probability must fall fast where the most relevant cells are covered first, and rise fast where they are shown first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from scipy import integrate, stats

from tfrec.explain.example import Example, probabilities

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

STEPS = 20  # shares of the cells that are covered, from none to all
RANDOM_MAPS = 4
SIMILAR = 0.5  # rank correlation with the map of random weights from which on a map fails

Method = Callable[[Example], np.ndarray]


class Curves(NamedTuple):
    """Probabilities of the explained class over the share of cells (STEPS + 1,)."""

    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Area under the curve of deletion, from 0 to 1; small is good."""
        return float(integrate.trapezoid(self.deletion, dx=1 / STEPS))

    @property
    def insertion_area(self) -> float:
        """Area under the curve of insertion, from 0 to 1; large is good."""
        return float(integrate.trapezoid(self.insertion, dx=1 / STEPS))


def randomized_similarity(example: Example, method: Method, found: np.ndarray, untrained: keras.Model) -> float:
    """The rank correlation of a map with the same method's map of a network of random weights.

    Args:
        example: What is explained.
        method: From an Example to its map.
        found: The method's map of the example.
        untrained: A network of the same architecture.

    Returns:
        Spearman's coefficient, from -1 to 1; 0 where either map is constant. The test is passed below `SIMILAR`.
    """
    other = method(example.with_network(untrained))
    if np.ptp(found) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(found.ravel(), other.ravel()).statistic)


def curves(example: Example, relevance: np.ndarray, probability: Callable[[np.ndarray], np.ndarray]) -> Curves:
    """Covers, and shows, the cells of an example in the order of their relevance.

    Args:
        example: What is explained.
        relevance: Map of the cells.
        probability: From variants of the features to the probability of the explained class.

    Returns:
        The probabilities after each share of the cells.
    """
    order = np.argsort(-relevance.ravel(), kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    rank = rank.reshape(relevance.shape)
    counts = np.linspace(0, len(order), STEPS + 1)
    shape = (*relevance.shape, *(1,) * (example.features.ndim - 2))
    first = np.stack([(rank < count).reshape(shape) for count in counts])
    covered = np.where(first, example.baseline, example.features)
    shown = np.where(first, example.features, example.baseline)
    return Curves(probability(covered), probability(shown))


def random_curves(example: Example, probability: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> Curves:
    """The mean curves of random maps, as smooth as `RANDOM_MAPS` draws of single cells are."""
    random = np.random.default_rng(seed)
    found = [curves(example, random.random(example.cells), probability) for _ in range(RANDOM_MAPS)]
    return Curves(*(np.mean([getattr(each, name) for each in found], axis=0) for name in Curves._fields))


def figures(
    recognizer: Recognizer,
    example: Example,
    method: Method,
    relevance: np.ndarray,
    index: int,
    untrained: keras.Model,
) -> dict[str, float]:
    """All tests of the map of a class, rounded; the names end in "_random" for random maps."""

    def probability(variants: np.ndarray) -> np.ndarray:
        return probabilities(recognizer, example, variants)[:, index]

    own, other = curves(example, relevance, probability), random_curves(example, probability)
    found = {
        "similarity_to_random_weights": randomized_similarity(example, method, relevance, untrained),
        "deletion": own.deletion_area,
        "deletion_random": other.deletion_area,
        "insertion": own.insertion_area,
        "insertion_random": other.insertion_area,
    }
    return {name: round(value, 4) for name, value in found.items()}
