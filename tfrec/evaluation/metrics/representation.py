"""How good features are without a training of the network: their spread, a linear probe, and nearest neighbors."""

from typing import Any

import numpy as np
from sklearn import linear_model, preprocessing

from tfrec.evaluation.metrics import classification

NEIGHBORS = 20
TEMPERATURE = 0.07  # of the votes of neighbors (Wu et al. 2018, arXiv:1805.01978, section 3.4)


def spread(vectors: np.ndarray) -> float:
    """Computes how far embeddings are from a collapse, in which all examples have the same.

    Args:
        vectors: (examples, units).

    Returns:
        The standard deviation over the examples of each unit of the embeddings at length 1, as a mean over the units
        and times the square root of their number: 0 for a collapse, about 1 for random directions (Chen & He 2020,
        arXiv:2011.10566, section 4.1).

    >>> spread(np.ones((5, 3)))
    0.0
    """
    vectors = normalize(vectors)
    return float(vectors.std(axis=0).mean() * np.sqrt(vectors.shape[1]))


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors (examples, units) at length 1; vectors of 0 stay."""
    vectors = np.asarray(vectors, "float64")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def linear_probe(train: np.ndarray, labels: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Predicts classes by a logistic regression on standardized features, which are not changed.

    Args:
        train: features of the labeled training examples, (examples, units).
        labels: their class indices, (examples,), of two classes or more.
        vectors: features to predict, (others, units).

    Returns:
        Class indices (others,).
    """
    scaler = preprocessing.StandardScaler().fit(train)
    probe = linear_model.LogisticRegression(C=0.1, max_iter=500)
    return probe.fit(scaler.transform(train), labels).predict(scaler.transform(vectors))


def nearest_neighbors(train: np.ndarray, labels: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Predicts classes by the votes of the `NEIGHBORS` training examples with the most similar directions.

    Args:
        train: features of the labeled training examples, (examples, units).
        labels: their class indices, (examples,).
        vectors: features to predict, (others, units).

    Returns:
        Class indices (others,). A vote weighs exp(cosine similarity / `TEMPERATURE`).
    """
    candidates, count, result = normalize(train), min(NEIGHBORS, len(train)), []
    for block in np.array_split(normalize(vectors), max(1, len(vectors) // 500)):
        similarities = block @ candidates.T
        nearest = np.argpartition(-similarities, count - 1, axis=1)[:, :count]
        weights = np.exp(np.take_along_axis(similarities, nearest, axis=1) / TEMPERATURE)
        votes = np.zeros((len(block), int(labels.max()) + 1))
        for column in range(count):
            np.add.at(votes, (np.arange(len(block)), labels[nearest[:, column]]), weights[:, column])
        result.append(votes.argmax(axis=1))
    return np.concatenate(result)


def accuracy(name: str, answers: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Returns {name: accuracy, "NAME_interval": Wilson's 95 % interval} of predicted and true class indices."""
    correct = int((answers == labels).sum())
    return {name: correct / len(labels), f"{name}_interval": classification.wilson_interval(correct, len(labels))}
