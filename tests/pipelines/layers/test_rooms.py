import functools

import numpy as np
import pytest

from pipelines.layers.rooms import ImageSourceReverb, MeasuredReverb
from tests.pipelines.layers import checks, speech

make = functools.partial(ImageSourceReverb, (100.0, 200.0), 1.0, 8000, seed=5)


def responses(t60_ms, count=40):
    return np.asarray(ImageSourceReverb((t60_ms, t60_ms), 1.0, 8000, seed=1).sample_responses(count), "float64")


def test_the_direct_sound_comes_first_and_is_1():
    rooms = responses(150)
    assert rooms.shape == (40, 1200)
    assert (rooms >= 0).all()
    assert (rooms[:, 0] >= 1).all()
    assert (np.argmax(rooms, axis=1) == 0).mean() > 0.9


def test_reflections_arrive_when_geometry_says():
    # A reflection has gone a longer way, and a room of at most 6 m has many within 40 ms.
    rooms = responses(300)
    early = np.count_nonzero(rooms[:, 1:320], axis=1)
    assert early.min() > 30
    assert (rooms[:, 1:] < rooms[:, :1]).mean() > 0.999


def test_longer_reverberation_is_louder():
    energies = [np.mean(np.sum(responses(t60_ms)[:, 1:] ** 2, axis=1)) for t60_ms in (50, 150, 400)]
    assert energies[0] < energies[1] < energies[2]


def test_measured_responses_are_used():
    response = np.zeros(30, "float32")
    response[[5, 15]] = (0.5, -0.2)
    layer = MeasuredReverb.from_responses([response], probability=1.0, sample_rate_hz=8000, seed=1)
    clip = np.zeros((1, 100), "float32")
    clip[0, 20] = 1
    wet = checks.call(layer, (clip,), training=True)[0]
    expected = np.zeros(100)
    expected[[20, 30]] = np.array([1, -0.4]) / np.sqrt(1.16)  # the mean power stays
    np.testing.assert_allclose(wet, expected, atol=1e-5)


@pytest.mark.parametrize("make", [make, lambda: MeasuredReverb(3, 40, 1.0, 8000, seed=2)])
def test_rules_of_random_layers(make):
    layer = make()
    checks.assert_config_round_trips(layer, speech.batch())
    checks.assert_same_everywhere(make, speech.batch(), training=True)


def test_more_rules_of_random_layers():
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), speech.batch())


def test_bad_responses():
    with pytest.raises(ValueError, match="not silent"):
        MeasuredReverb.from_responses([np.zeros(5, "float32")])
    with pytest.raises(ValueError, match="Received: 2"):
        MeasuredReverb(1, 5).fill([np.ones(3)] * 2)
