"""Calibration: data of which the right figures are known."""

import numpy as np
import pytest
from scipy import special

from tfrec.evaluation.metrics import calibration


def drawn(count, classes=5, sharpness=2.0, seed=0):
    """Logits whose probabilities are right, and labels drawn from them."""
    random = np.random.default_rng(seed)
    logits = sharpness * random.normal(size=(count, classes))
    probabilities = special.softmax(logits, axis=-1)
    labels = (probabilities.cumsum(axis=-1) > random.random((count, 1))).argmax(axis=-1)
    return logits, labels


def test_right_probabilities():
    logits, labels = drawn(20_000)
    scores = calibration.score(special.softmax(logits, axis=-1), labels)
    assert scores["ece"] < 0.015
    assert scores["ece_debiased"] < 0.008
    assert scores["ece_interval"][0] <= scores["ece"] <= scores["ece_interval"][1] + 0.005
    assert calibration.fit_temperature(logits, labels) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_temperature_undoes_a_factor(factor):
    logits, labels = drawn(20_000)
    before = calibration.score(special.softmax(factor * logits, axis=-1), labels)
    temperature = calibration.fit_temperature(factor * logits, labels)
    assert temperature == pytest.approx(factor, rel=0.03)
    after = calibration.score(special.softmax(factor * logits / temperature, axis=-1), labels)
    assert after["ece"] < 0.015 < 0.1 < before["ece"]
    assert after["nll"] < before["nll"]


def test_figures_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    labels = np.array([0, 1, 0, 1])
    scores = calibration.score(probabilities, labels)
    assert scores["nll"] == pytest.approx(-np.log([0.8, 0.2, 0.6, 0.7]).mean())
    assert scores["brier"] == pytest.approx(2 * np.mean([0.2**2, 0.8**2, 0.4**2, 0.3**2]))
    assert scores["ece"] == pytest.approx(np.mean([0.2, 0.8, 0.4, 0.3]))  # a bin for each answer
    assert sum(each["examples"] for each in scores["bins"]) == 4


def test_few_answers_that_are_all_right_are_not_certain():
    logits = np.tile([[2.0, 0.0]], (20, 1))
    few = special.softmax(logits[0] / calibration.fit_temperature(logits, np.zeros(20, int)))
    assert few[0] == pytest.approx(20 / 21, abs=0.01)
    assert calibration.fit_temperature(np.zeros((0, 2)), np.zeros(0, int)) == 1
