"""Convolutions of images, the rules of their sizes, and squeeze-and-excitation."""

import keras
import numpy as np
import pytest

from tfrec.architectures.layers.convolution import depthwise, make_divisible, select_evenly, squeeze_excite
from tfrec.architectures.layers.normalization import batch_norm


def test_make_divisible():
    assert [make_divisible(number) for number in (1, 8, 11, 12, 16, 100, 1280)] == [8, 8, 16, 16, 16, 104, 1280]
    # Not 16 and 8, which are more than a tenth less.
    assert make_divisible(18) == 24
    assert make_divisible(11.2) == 16
    assert make_divisible(17.6) == 16


def test_select_evenly():
    assert select_evenly("abcd", 4) == list("abcd")
    assert select_evenly("abcd", 2) == list("ac")
    assert select_evenly("abcd", 1) == ["a"]
    assert select_evenly("ab", 5) == list("aaabb")


def test_squeeze_excite_by_hand():
    x = keras.Input((3, 2, 2))
    net = keras.Model(x, squeeze_excite(x, 1, "se"))
    reduce, expand = np.reshape([2.0, -1.0], (1, 1, 2, 1)), np.reshape([1.0, -3.0], (1, 1, 1, 2))
    net.set_weights([reduce, np.array([0.5]), expand, np.array([0.25, 0.0])])
    image = np.random.default_rng(0).normal(1, 1, (2, 3, 2, 2)).astype("float32")
    mean = image.mean(axis=(1, 2))
    hidden = np.maximum(mean @ [2.0, -1.0] + 0.5, 0)
    assert (hidden > 0).any()
    gates = 1 / (1 + np.exp(-np.stack([hidden + 0.25, -3 * hidden], axis=-1)))
    np.testing.assert_allclose(net(image), image * gates[:, None, None], rtol=1e-5)


@pytest.mark.parametrize("channels", [8, 512])
def test_depthwise_keeps_the_size_of_the_signal(channels):
    """However many channels there are: with Keras's default the signal fades, until batch norm's epsilon shows."""
    keras.utils.set_random_seed(0)
    x = keras.Input((16, 16, channels))
    net = keras.Model(x, depthwise(x, 3, "one", norm=None, activation=None))
    signal = np.random.default_rng(0).normal(size=(2, 16, 16, channels)).astype("float32")
    assert np.array(net(signal)).std() == pytest.approx(np.sqrt(2), rel=0.3)
    named = depthwise(x, 3, "two", norm=batch_norm, activation="silu")
    assert [layer.name for layer in keras.Model(x, named).layers[1:]] == ["two_conv", "two_norm", "two_silu"]
