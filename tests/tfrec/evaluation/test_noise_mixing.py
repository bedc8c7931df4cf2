"""Mixes of speech and noise at given ratios."""

import numpy as np
import pytest

from tests.tfrec.pitches import RATE, tone
from tfrec.evaluation.noise_mixing import mixtures


def test_mixes_have_the_ratio_over_active_speech():
    """Silence around a word does not change the noise, but for P.56's hangover."""
    word, random = tone(800, 3.0), np.random.default_rng(0)
    padded = np.r_[np.zeros(3 * RATE, "float32"), word, np.zeros(3 * RATE, "float32")]
    pieces = [tone(1200, 3.0), tone(1200, 9.0)]
    for ratio, mixed in zip((10.0, -5.0), mixtures([word, padded], pieces, (10.0, -5.0), RATE), strict=True):
        for clip, with_noise in zip((word, padded), mixed, strict=True):
            assert len(with_noise) == len(clip)
            power = np.mean((with_noise - clip) ** 2)
            assert 10 * np.log10(np.mean(word**2) / power) == pytest.approx(ratio, abs=0.7)
    quiet = [np.zeros(800, "float32"), random.normal(size=800).astype("float32")]
    (mixed,) = mixtures(quiet, quiet[::-1], (0.0,), RATE)
    for clip, with_noise in zip(quiet, mixed, strict=True):
        np.testing.assert_array_equal(with_noise, clip)
