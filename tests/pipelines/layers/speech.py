"""Waveforms and reference values for the tests of the speech layers."""

import pathlib

import numpy as np

RATE_HZ = 16000


def golden(name):
    """One array of librosa's values, see tests/golden/make_speech.py."""
    path = pathlib.Path(__file__).parents[2] / "golden" / "speech.npz"
    with np.load(path, allow_pickle=False) as values:
        return values[name]


def waveform():
    """The waveform of tests/golden/make_speech.py."""
    seconds = np.arange(RATE_HZ // 2) / RATE_HZ
    chirp = np.sin(2 * np.pi * (100 * seconds + 6900 * seconds**2))
    return (0.3 * chirp + 0.02 * np.random.default_rng(7).standard_normal(seconds.size)).astype("float32")


def clips(*lengths):
    """Noise in waveforms of these lengths."""
    generator = np.random.default_rng(3)
    return [(0.1 * generator.standard_normal(n)).astype("float32") for n in lengths]


def batch():
    """Three waveforms of 4000 samples with true lengths 4000, 2500, 90; zeros after them."""
    together = np.stack(clips(4000, 4000, 4000))
    lengths = np.array([4000, 2500, 90], "int32")
    together[np.arange(4000) >= lengths[:, None]] = 0
    return together, lengths


def feature_batch(bins=10):
    """Three clips of 40 frames with true lengths 40, 25, 3; zeros after them."""
    features = np.random.default_rng(5).normal(-4, 2, (3, 40, bins)).astype("float32")
    lengths = np.array([40, 25, 3], "int32")
    features[np.arange(40) >= lengths[:, None]] = 0
    return features, lengths
