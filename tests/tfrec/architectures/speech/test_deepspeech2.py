"""The layers of Deep Speech 2 against Keras and NumPy with the same weights."""

import keras
import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures.speech import deepspeech2
from tfrec.architectures.speech.deepspeech2 import Config, GatedCell, PlainCell

RANDOM = np.random.default_rng(2)
PRODUCTS = RANDOM.normal(size=(2, 9, 12)).astype("float32")


def test_gated_cell_is_a_gru_of_its_products():
    ours = keras.layers.RNN(GatedCell(4), return_sequences=True)
    theirs = keras.layers.GRU(4, return_sequences=True, use_bias=False)  # the reset gate comes after the product
    ours(PRODUCTS)
    theirs(PRODUCTS)
    # Its gate weights the old state, ours the new one.
    sign = np.repeat([-1.0, 1.0, 1.0], 4)
    kernel = RANDOM.normal(size=(4, 12)).astype("float32")
    ours.set_weights([kernel])
    theirs.set_weights([np.eye(12) * sign, kernel * sign])
    np.testing.assert_allclose(ours(PRODUCTS), theirs(PRODUCTS), atol=1e-6)


def test_plain_cell_clips():
    layer = keras.layers.RNN(PlainCell(12), return_sequences=True)
    layer(PRODUCTS)
    kernel = 3.0 * RANDOM.normal(size=(12, 12)).astype("float32")
    layer.set_weights([kernel])
    state, expected = np.zeros((2, 12)), []
    for step in range(9):
        state = np.clip(PRODUCTS[:, step] + state @ kernel, 0.0, 20.0)
        expected.append(state)
    assert np.max(expected) == 20.0
    np.testing.assert_allclose(layer(PRODUCTS), np.stack(expected, axis=1), rtol=1e-4, atol=1e-4)


def test_statistics_are_those_of_true_frames():
    config = Config(name="deepspeech2", filters=3, units=4, depth=1, subsampling=2)
    net = architectures.build_network(config, (None, 8), 5, "sequence", "sequence")
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    frames = np.array([5, 12, 20])
    inputs = {"features": RANDOM.normal(size=(3, 20, 8)).astype("float32"), "frames": frames}
    names = ["conv0_norm", "gru0_norm"]
    net(inputs, training=True)
    statistics = {name: [np.array(part) for part in net.get_layer(name).non_trainable_variables] for name in names}
    # Their inputs depend on the statistics of earlier layers, which are now those of this batch.
    inside = keras.Model(net.input, [net.get_layer(name).input[0] for name in names])
    for name, x in zip(names, inside(inputs), strict=True):
        true = np.concatenate([np.asarray(x)[i, : -(-count // 2)] for i, count in enumerate(frames)])
        true = true.reshape(-1, true.shape[-1])
        np.testing.assert_allclose(statistics[name][0], true.mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(statistics[name][1], true.var(axis=0), atol=1e-4)


def test_row_convolution_weights_the_next_steps():
    x = keras.Input((None, 4))
    net = keras.Model(x, deepspeech2._row_convolution(x, 2))
    (kernel,) = net.get_weights()
    states = PRODUCTS[:, :, :4]
    padded = np.pad(states, ((0, 0), (0, 2), (0, 0)))
    expected = sum(padded[:, i : i + 9] * kernel.reshape(3, 4)[i] for i in range(3))
    np.testing.assert_allclose(net(states), expected, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"subsampling": 4, "convolutions": 1}, {"subsampling": 3}, {"convolutions": 4}, {"lookahead": -1}]
)
def test_refuses_wrong_arguments(changes):
    with pytest.raises(UserError, match=next(iter(changes))):
        architectures.build_network(Config(name="deepspeech2", **changes), (None, 8), 5, "sequence", "sequence")
