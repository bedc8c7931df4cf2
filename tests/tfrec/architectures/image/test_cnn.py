"""The convolutional network over clips: poolings over time, and dense layers over frames."""

import dataclasses

import numpy as np
import pytest

from tfrec.architectures.image import cnn

SMALL = cnn.Config(width=4, depth=3, convolutions=1)


def build(shape=(None, 20), **changes):
    return cnn.build(shape, 5, dataclasses.replace(SMALL, **changes))


@pytest.mark.parametrize(("time_pools", "frames"), [(None, 3), (0, 17), (2, 5)])
def test_time_is_halved_as_often_as_asked(time_pools, frames):
    net = build((17, 20), time_pools=time_pools)
    assert net.get_layer("bands").output.shape == (None, frames, 3 * 16)


def test_a_dense_layer_over_each_frame():
    net = build(frame_units=7)
    assert net.get_layer("embedding").output.shape == (None, 7)
    assert net.get_layer("frames_dense").kernel.shape == (3 * 16, 7)
    clip = np.random.default_rng(0).normal(size=(1, 9, 20)).astype("float32")
    padded = np.concatenate([clip, np.full((1, 6, 20), np.nan, "float32")], axis=1)
    expected, padded_result = (net({"features": x, "frames": np.array([9])}) for x in (clip, padded))
    np.testing.assert_allclose(padded_result, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        ((None, 20), {"time_pools": 4}, "time_pools must be from 0.*Received: 4"),
        ((8, 8, 3), {"frame_units": 4}, "not for images"),
        ((8, 8, 3), {"time_pools": 1}, "not for images"),
    ],
)
def test_refuses_wrong_arguments(shape, changes, message):
    with pytest.raises(ValueError, match=message):
        build(shape, **changes)
