"""The fast Gaussian process predicts what scikit-learn's does."""

import numpy as np
import sklearn.gaussian_process

from tuning.oracles.gaussian_process import GaussianProcess


def test_predictions_equal_those_of_scikit_learn():
    random = np.random.default_rng(0)
    x, y = random.random((25, 4)), random.random(25)
    options = {"kernel": sklearn.gaussian_process.kernels.Matern(nu=2.5), "normalize_y": True, "random_state": 0}
    points = np.concatenate([random.random((7, 4)), x[:3]])
    ours = GaussianProcess(**options)
    theirs = sklearn.gaussian_process.GaussianProcessRegressor(**options)
    for _ in range(2):  # before it is fitted, and after
        for mine, other in zip(ours.predict(points, True), theirs.predict(points, True), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-8)
        ours.fit(x, y)
        theirs.fit(x, y)
    np.testing.assert_allclose(ours.predict(points), theirs.predict(points))
