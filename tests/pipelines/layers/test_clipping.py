import functools

import numpy as np
import pytest

from pipelines.layers.clipping import Clipping
from tests.pipelines.layers import checks, speech

make = functools.partial(Clipping, 20.0, 1.0, seed=5)


def test_levels_fill_the_range():
    clips = np.tile(speech.clips(400)[0], (1000, 1))
    clipped = checks.call(Clipping(20.0, 0.4, seed=5), (clips,), training=True)
    below_db = 20 * np.log10(np.abs(clips).max(axis=1) / np.abs(clipped).max(axis=1))
    changed = below_db > 1e-4
    assert 0.35 < changed.mean() < 0.45
    assert below_db.max() < 20.01
    assert abs(below_db[changed].mean() - 10) < 1
    np.testing.assert_array_equal(np.sign(clipped), np.sign(clips))


def test_rules_of_random_layers():
    checks.assert_same_everywhere(make, speech.batch(), training=True)
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), speech.batch())
    checks.assert_config_round_trips(Clipping(3.0, 0.3, seed=9), speech.batch())


@pytest.mark.parametrize("arguments", [(0,), (3, 2)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        Clipping(*arguments)
