"""Confident learning, by hand and as another implementation has it."""

import numpy as np

from tfrec.labels import confident_learning


def drawn(seed=0, examples=400, classes=4, share=0.1):
    """Probabilities that are often right, labels of which a share is wrong, and which are."""
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=examples)
    logits = random.normal(size=(examples, classes)) + 3 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = random.random(examples) < share
    labels = np.where(wrong, (truth + random.integers(1, classes, examples)) % classes, truth)
    return probabilities, labels, wrong


def test_a_class_of_which_the_network_is_less_sure_asks_for_less():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.45, 0.55], [0.42, 0.58], [0.7, 0.3]])
    found = confident_learning.judge(probabilities, np.array([0, 0, 1, 1, 0, 1]))
    # Thresholds 0.74 and 0.467: 0.58 suffices for class 1, 0.7 does not for class 0.
    np.testing.assert_array_equal(found.suspected, [False, False, False, False, True, False])
    np.testing.assert_array_equal(found.likely, [1, 1, 0, 0, 1, 0])
    np.testing.assert_allclose(found.margin, [0.8, 0.8, 0.1, 0.1, -0.16, -0.4])


def test_as_cleanlab():
    # cleanlab 2.9: find_label_issues(filter_by="confident_learning", return_indices_ranked_by="normalized_margin")
    probabilities, labels, wrong = drawn()
    found = confident_learning.judge(probabilities, labels)
    suspected = np.flatnonzero(found.suspected)
    ranked = suspected[np.argsort(found.margin[suspected])]
    assert len(ranked) == 38
    np.testing.assert_array_equal(ranked[:8], [379, 41, 317, 221, 66, 255, 253, 390])
    assert wrong[ranked].mean() > 0.9


def test_classes_without_examples():
    probabilities, labels, _ = drawn(classes=3)
    wider = np.concatenate([probabilities, np.full((len(labels), 1), 1e-9)], axis=1)
    found, before = confident_learning.judge(wider, labels), confident_learning.judge(probabilities, labels)
    np.testing.assert_array_equal(found.suspected, before.suspected)
