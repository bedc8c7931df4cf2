import functools

import numpy as np
import pytest

from pipelines.layers.gain import Gain
from tests.pipelines.layers import checks, speech

make = functools.partial(Gain, -10, 10, seed=5)


def test_gains_fill_the_range():
    ones = np.ones((2000, 3), "float32")
    gains_db = 20 * np.log10(checks.call(Gain(-12, 3, seed=1), (ones,), training=True))
    np.testing.assert_allclose(gains_db[:, 0], gains_db[:, 2])
    assert -12 <= gains_db.min() < -11.9
    assert 2.9 < gains_db.max() <= 3.001
    assert abs(gains_db.mean() + 4.5) < 0.5


def test_fixed_gain():
    clip = speech.clips(500)[0]
    np.testing.assert_allclose(checks.call(Gain(20, 20), (clip[None],), training=True)[0], 10 * clip, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_same_everywhere(training):
    checks.assert_same_everywhere(make, speech.batch(), training=training)


def test_fixed_gain_same_everywhere():
    checks.assert_same_everywhere(lambda: Gain(4, 4), speech.batch(), training=True, random=False)


def test_neighbors_and_padding_do_not_matter():
    layer = Gain(6, 6)
    clips = speech.clips(1, 70, 5000)
    checks.assert_neighbors_and_padding_do_not_matter(functools.partial(layer, training=True), clips)


def test_random_layer_rules():
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: Gain(seed=seed), speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(Gain(-3, 4, seed=9), speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, 0), (2, 1), (3, 700)])


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: low_db=3, high_db=2"):
        Gain(3, 2)
