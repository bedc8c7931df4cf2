import functools

import numpy as np
import pytest
from scipy import signal

from pipelines.layers.band_limit import BandLimit, mu_law
from tests.pipelines.layers import checks, speech

make = functools.partial(BandLimit, probability=1.0, sample_rate_hz=8000, seed=5)


def test_the_band():
    clips = np.zeros((400, 401), "float32")
    clips[:, 200] = 0.5
    filtered = checks.call(make((300, 300), (3000, 3000)), (clips,), training=True)
    linear = min(filtered, key=lambda row: np.abs(np.diff(np.unique(row))).size and -len(np.unique(row)))
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(linear, 4000)) / 0.5 + 1e-9)
    assert abs(gain_db[300:1000:10]).max() < 1  # 600 to 2,000 Hz
    assert gain_db[:50].max() < -20
    assert gain_db[1750:].max() < -30
    assert np.argmax(linear) == 200  # no delay


def test_mu_law_has_255_steps():
    values = np.linspace(-1.2, 1.2, 100_001).astype("float32")
    rounded = np.asarray(mu_law(values))
    assert len(np.unique(rounded)) == 255
    assert np.abs(rounded).max() <= 1 + 1e-6
    error_db = 10 * np.log10(np.mean(values**2) / np.mean((rounded - np.clip(values, -1, 1)) ** 2))
    assert error_db > 25
    np.testing.assert_allclose(mu_law(np.array([0.0, 1.0, -1.0], "float32")), [0, 1, -1], atol=1e-6)


def test_half_of_the_changed_clips_are_rounded():
    clip = np.tile(signal.windows.gaussian(400, 60).astype("float32"), (500, 1))
    changed = checks.call(make((0, 0), (4000, 4000)), (clip,), training=True)
    distinct = np.array([len(np.unique(row)) for row in changed])
    assert 0.4 < np.mean(distinct < 260) < 0.6


def test_rules_of_random_layers():
    checks.assert_same_everywhere(make, speech.batch(), training=True)
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(BandLimit((1, 2), (3, 4), 0.3, 8000, seed=9), speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, 1), (3, 700)])


@pytest.mark.parametrize(
    ("options", "quoted"),
    [({"low_hz": (9, 8)}, "low_hz"), ({"probability": 2}, "2"), ({"sample_rate_hz": 10}, "10")],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        BandLimit(**options)
