"""Scores of what is of no class, by hand and against SciPy."""

import numpy as np
import pytest
from scipy.spatial import distance

from tfrec.evaluation.metrics import out_of_domain


def test_energy_is_large_where_some_logit_is():
    np.testing.assert_allclose(out_of_domain.energy(np.array([[0.0, 0.0], [10.0, 0.0]])), [np.log(2), 10.0000454])


def test_distances_to_the_nearest_class():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600) * 2  # class 1 has no examples
    spread = np.array([[1.0, 0.8], [0.8, 1.0]])
    features = random.multivariate_normal([0, 0], spread, 600) + labels[:, None] * [3, -3]
    score = out_of_domain.Mahalanobis(features, labels)
    means = [features[labels == i].mean(axis=0) for i in (0, 2, 4)]
    centered = features - np.array(means)[labels // 2]
    inverse = np.linalg.inv(centered.T @ centered / len(centered))
    points = random.normal(scale=8, size=(20, 2))
    expected = [min(distance.mahalanobis(point, mean, inverse) ** 2 for mean in means) for point in points]
    assert 0 < score.shrinkage < 0.05
    np.testing.assert_allclose(-score(points), expected, rtol=0.1)
    assert score(np.array([means[1]]))[0] == pytest.approx(0, abs=1e-9)


def test_units_that_are_constant_do_no_harm():
    features = np.random.default_rng(0).normal(size=(40, 3)) * [1, 1, 0]
    found = out_of_domain.Mahalanobis(features, np.arange(40) % 2)(features)
    assert np.isfinite(found).all()
    assert (out_of_domain.Mahalanobis(np.ones((8, 4)), np.arange(8) % 2)(np.ones((2, 4))) == 0).all()


def test_area_and_false_positives():
    inside, outside = np.arange(1, 101.0), np.array([0.5, 3.5, 50.5, 200.0])
    found = out_of_domain.compare(inside, outside)
    assert found["auroc"] == pytest.approx((100 + 97 + 50 + 0) / 400)
    assert (inside >= found["threshold"]).mean() >= 0.95
    assert found["threshold"] == 5
    assert found["fpr_at_95_tpr"] == 0.5


def test_the_interval_is_that_of_a_bootstrap():
    random = np.random.default_rng(0)
    inside, outside = random.normal(1, 1, 300), random.normal(0, 1, 200)
    found = out_of_domain.compare(inside, outside)
    draws = [
        out_of_domain.compare(random.choice(inside, 300), random.choice(outside, 200))["auroc"] for _ in range(300)
    ]
    np.testing.assert_allclose(found["auroc_interval"], np.quantile(draws, [0.025, 0.975]), atol=0.015)
    low, high = out_of_domain.auroc_interval(1.0, 20, 20)
    assert high == 1
    assert 0.8 < low < 0.95
    assert out_of_domain.auroc_interval(0.0, 20, 20) == pytest.approx([0, 1 - low])
