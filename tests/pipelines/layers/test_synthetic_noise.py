import functools

import numpy as np
import pytest

from pipelines.layers.speech_level import active_level, mean_level
from pipelines.layers.synthetic_noise import SyntheticNoise
from tests.pipelines.layers import checks, speech

make = functools.partial(SyntheticNoise, (10.0, 10.0), 1.0, 8000, seed=5)


def test_noise_has_the_ratio():
    clips = np.stack(speech.clips(*[8000] * 40))
    noise = checks.call(make(), (clips,), training=True) - clips
    ratio_db = 20 * np.log10(active_level(clips, None, 8000) / mean_level(noise, None, 8000))
    np.testing.assert_allclose(ratio_db, 10, atol=0.01)


def test_noises_differ_in_color_and_over_time():
    backgrounds = np.asarray(make().background(np.zeros((200, 8000), "float32"), None))
    assert np.isfinite(backgrounds).all()
    spectra = np.abs(np.fft.rfft(backgrounds, axis=1)) ** 2
    share = np.sort(spectra, axis=1)[:, -40:].sum(axis=1) / spectra.sum(axis=1)  # of one bin in a hundred
    assert np.mean(share > 0.9) > 0.1  # tones
    assert np.mean(share < 0.2) > 0.1  # hiss
    levels = np.sqrt(np.mean(backgrounds.reshape(200, 20, 400) ** 2, axis=2))
    changes = np.std(np.log(levels + 1e-6), axis=1)
    assert changes.min() < 0.2
    assert changes.max() > 1


def test_silence_becomes_noise_of_a_level():
    silent = np.zeros((300, 4000), "float32")
    np.testing.assert_array_equal(checks.call(make(), (silent,), training=True), silent)
    layer = SyntheticNoise((0.0, 0.0), 1.0, 8000, (-40.0, -20.0), seed=1)
    level_db = 20 * np.log10(mean_level(checks.call(layer, (silent,), training=True), None, 8000))
    assert -40.1 < level_db.min() < -39
    assert -21 < level_db.max() < -19.9


def test_rules_of_random_layers():
    checks.assert_same_everywhere(make, speech.batch(), training=True, atol=1e-4)
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: SyntheticNoise(seed=seed, probability=1.0), speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(SyntheticNoise((1, 2), 0.3, 8000, (-3, -2), seed=9), speech.batch())


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"Received: \(2, 1\)"):
        SyntheticNoise(silence_dbfs=(2, 1))
