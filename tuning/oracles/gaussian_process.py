"""scikit-learn's Gaussian process, with faster predictions."""

import numpy as np
import scipy.linalg
import sklearn.gaussian_process

from tuning import _compat


class GaussianProcess(sklearn.gaussian_process.GaussianProcessRegressor):
    """The same regressor without scikit-learn's checks, which takes a quarter of the time.

    The Bayesian oracle predicts one point some 20,000 times for each trial. A trial of a few seconds would else wait
    for its values as long as it trains. Rasmussen & Williams 2006, algorithm 2.1.
    """

    def predict(
        self, x: np.ndarray, return_std: bool = False, return_cov: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicts the mean at points (n, dimensions), and with `return_std` the standard deviation.

        Args:
            x: Points (n, dimensions).
            return_std: Whether to return the standard deviation too.
            return_cov: Whether to return the covariance too.

        Returns:
            The mean (n,), or with `return_std` the mean and the standard deviation, both (n,).
        """
        if not return_std or return_cov or not hasattr(self, "L_"):  # before it is fitted
            return super().predict(x, return_std, return_cov)
        covariance = self.kernel_(x, self.X_train_)
        solved = scipy.linalg.solve_triangular(self.L_, covariance.T, lower=True, check_finite=False)
        variance = np.maximum(self.kernel_.diag(x) - (solved * solved).sum(axis=0), 0.0)
        target_mean, target_std = _compat.target_normalization(self)
        mean = covariance @ self.alpha_ * target_std + target_mean
        return mean, np.sqrt(variance) * target_std
