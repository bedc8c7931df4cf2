import numpy as np
import pytest
from sklearn import metrics

from tfrec.evaluation.metrics import detection

NAMES = ("a", "b", "silence")


def example(count=400):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, count)
    logits = generator.normal(0, 1, (count, 3)) + 2.5 * np.eye(3)[labels]
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.02])
def test_the_threshold_keeps_the_rate_and_is_the_lowest(rate):
    probabilities, labels = example()
    rejected = detection.rejected_classes(NAMES)
    threshold = detection.choose_threshold(probabilities, labels, rejected, rate)

    def alarms(at):
        return np.mean(detection.accepted(probabilities, rejected, at)[labels == 2])

    assert alarms(threshold) <= rate
    candidates = detection.scores(probabilities, rejected)[(labels == 2) & (probabilities.argmax(axis=1) < 2)]
    assert alarms(candidates[candidates < threshold].max()) > rate


def test_without_classes_to_reject_wrong_answers_are_false_alarms():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    labels = np.array([0, 1, 1, 0])
    rejected = detection.rejected_classes(("a", "b"))
    assert not rejected.any()
    threshold = detection.choose_threshold(probabilities, labels, rejected, 0.0)
    assert 0.6 < threshold <= 0.7
    assert detection.choose_threshold(probabilities, labels, rejected, 0.25) == 0


def test_nothing_is_accepted_where_a_rejected_class_is_more_probable():
    rejected = detection.rejected_classes(NAMES)
    probabilities = np.array([[0.4, 0.1, 0.5], [0.5, 0.1, 0.4]])
    assert detection.accepted(probabilities, rejected, 0.0).tolist() == [False, True]


def test_scores_agree_with_counting():
    probabilities, labels = example()
    measured = detection.score(probabilities, labels, NAMES, 0.5)
    words = labels < 2
    given = (probabilities.argmax(1) < 2) & (probabilities[:, :2].max(1) >= 0.5)
    assert measured["miss_rate"] == np.mean(~given[words])
    assert measured["false_alarm_rate"] == np.mean(given[~words])
    assert measured["rejected_examples"] == np.sum(~words)
    false, true, _ = metrics.roc_curve(words, probabilities[:, :2].max(1))
    expected = false[np.argmin(np.abs(false - (1 - true)))]
    assert abs(measured["equal_error_rate"] - expected) < 0.02
    curve = np.array(measured["curve"])
    assert (np.diff(curve[:, 0]) <= 0).all() or (np.diff(curve[:, 0]) >= 0).all()
    assert detection.score(probabilities[words], labels[words], NAMES, 0.5) is None
