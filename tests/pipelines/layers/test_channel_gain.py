import functools

import numpy as np
import pytest

from pipelines.layers.channel_gain import ChannelGain
from tests.pipelines.layers import checks, speech

make = functools.partial(ChannelGain, seed=5)


@pytest.mark.parametrize("jit", [False, True])
def test_curves(jit):
    features = np.random.default_rng(1).normal(-4, 2, (500, 3, 41)).astype("float32")
    added = checks.call(ChannelGain(6, 5, seed=1), (features,), training=True, jit=jit) - features
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-5)
    curves_db = 10 * np.log10(np.exp(added[:, 0].astype("float64")))
    knots_db = curves_db[:, ::10]
    assert abs(curves_db).max() < 6.01
    for knot in knots_db.T:
        assert knot.min() < -5.8
        assert knot.max() > 5.8
    assert abs(np.corrcoef(knots_db.T) - np.eye(5)).max() < 0.15
    np.testing.assert_allclose(curves_db[:, 5::10], (knots_db[:, 1:] + knots_db[:, :-1]) / 2, atol=1e-4)
    quarter = (1 + np.cos(0.2 * np.pi)) / 2
    expected = quarter * knots_db[:, :-1] + (1 - quarter) * knots_db[:, 1:]
    np.testing.assert_allclose(curves_db[:, 2::10], expected, atol=1e-4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed):
    clip = speech.clips(900)[0].reshape(90, 10)
    alone = checks.call(make(seed=seed), (clip[None],), training=True)[0]
    padded = np.pad(clip, ((0, 30), (0, 0)), constant_values=np.nan)[None]
    result = checks.call(make(seed=seed), (padded, np.array([90], "int32")), training=True)[0]
    np.testing.assert_array_equal(result, np.pad(alone, ((0, 30), (0, 0))))


def test_random_layer_rules():
    inputs = speech.feature_batch()
    checks.assert_same_everywhere(make, inputs, training=True)
    checks.assert_identity_without_training(make, inputs)
    checks.assert_random_per_example(make, inputs[0][0], np.int32(40))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), inputs)
    checks.assert_stays_float32(make, inputs, training=True)
    checks.assert_config_round_trips(ChannelGain(3, 5, seed=9), inputs)
    checks.assert_declared_shape_is_real(make(), [(2, 1, 5), (3, 70, 8), (3, 7, 1)])


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: -1"):
        ChannelGain(-1)
    with pytest.raises(ValueError, match="Received: 1"):
        ChannelGain(6, 1)
