"""Convolutions and LSTM: the inputs of each, stacked and in parallel."""

import dataclasses

import keras
import numpy as np
import pytest

from tfrec.architectures.speech import cnn_lstm

SMALL = {"width": 4, "units": 6, "convolutions": 1}


def build(config, **changes):
    keras.utils.set_random_seed(1)
    return cnn_lstm.build((None, 20), 3, dataclasses.replace(config, **{**SMALL, **changes}))


def clip(frames):
    features = np.random.default_rng(0).normal(size=(1, frames, 20)).astype("float32")
    return {"features": features, "frames": np.array([frames])}


@pytest.mark.parametrize(("time_pools", "frames"), [(0, 17), (1, 9), (2, 5), (3, 3)])
def test_stacked_lstm_reads_the_convolutions(time_pools, frames):
    net = build(cnn_lstm.Config(time_pools=time_pools))
    bands = keras.Model(net.input, net.get_layer("bands").output)(clip(17))
    assert net.get_layer("lstm0").input[0] is net.get_layer("bands").output
    assert bands.shape == (1, frames, 3 * 16)  # 20 frequencies halved three times, channels doubled twice


def test_parallel_branches_are_independent():
    net = build(cnn_lstm.CONCAT)
    embedding = keras.Model(net.input, net.get_layer("embedding").output)
    before = np.array(embedding(clip(9)))
    assert before.shape == (1, 3 * 16 + 6)
    for name, own in (("block0_0_norm", slice(0, 48)), ("lstm0", slice(48, None))):
        layer = net.get_layer(name)
        weights = layer.get_weights()
        layer.set_weights([weight + 0.5 for weight in weights])
        changed = np.array(embedding(clip(9))) != before
        layer.set_weights(weights)
        assert changed[:, own].any()
        changed[:, own] = False
        assert not changed.any()


def test_branches_meet_in_a_dense_layer():
    net = build(cnn_lstm.CONCAT, fc_units=7)
    assert net.get_layer("fc").kernel.shape == (3 * 16 + 6, 7)
    assert net.get_layer("fc").activation is keras.activations.relu
    assert "fc" not in [layer.name for layer in build(cnn_lstm.Config()).layers]


@pytest.mark.parametrize("changes", [{"units": 0}, {"lstm_depth": 0}, {"fc_units": -1}, {"time_pools": 4}])
def test_refuses_wrong_sizes(changes):
    with pytest.raises(ValueError, match="Received: "):
        build(cnn_lstm.Config(), **changes)
