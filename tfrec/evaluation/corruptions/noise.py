"""Noise: Gaussian, shot and impulse noise (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""

import numpy as np

from tfrec.evaluation.corruptions.base import Corruption, Picture


def gaussian_noise(picture: Picture, random: np.random.Generator, scale: float) -> np.ndarray:
    """Adds normal noise of a standard deviation, as in low light."""
    return picture + scale * random.standard_normal(picture.shape, "float32")


def shot_noise(picture: Picture, random: np.random.Generator, photons: float) -> np.ndarray:
    """Counts photons: Poisson noise, where white is a number of photons."""
    return random.poisson(picture * photons) / photons


def impulse_noise(picture: Picture, random: np.random.Generator, fraction: float) -> np.ndarray:
    """Sets a fraction of the values to black or white, each with probability 1/2."""
    replaced, white = random.random((2, *picture.shape), "float32")
    return np.where(replaced <= fraction, (white > 0.5).astype("float32"), picture)


CORRUPTIONS = {
    "gaussian_noise": Corruption(
        gaussian_noise,
        "noise",
        small=((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
        large=((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    ),
    "shot_noise": Corruption(
        shot_noise,
        "noise",
        small=((500,), (250,), (100,), (75,), (50,)),
        large=((60,), (25,), (12,), (5,), (3,)),
    ),
    "impulse_noise": Corruption(
        impulse_noise,
        "noise",
        small=((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        large=((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    ),
}
