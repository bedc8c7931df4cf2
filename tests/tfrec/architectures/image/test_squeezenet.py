"""SqueezeNet: both versions and their sizes."""

import keras
import pytest

from tfrec import architectures
from tfrec.architectures.image import squeezenet


def sizes(name):
    """(pixels a side, channels) of each stage's first and last map at 224 pixels."""
    with keras.StatelessScope():  # no weights are drawn
        net = architectures.build_network(architectures.default_config(name), (224, 224, 3), 1000, "image")
    concats = [layer.output.shape[2:] for layer in net.layers if layer.name.endswith("_concat")]
    return list(dict.fromkeys(map(tuple, concats)))


def test_sizes_of_the_versions():
    """1.0 pools after fires 4 and 8, 1.1 after 3 and 5, a quarter of the places for most of them."""
    assert sizes("squeezenet_1_0") == [(56, 128), (56, 256), (28, 256), (28, 384), (28, 512), (14, 512)]
    assert sizes("squeezenet_1_1") == [(56, 128), (28, 256), (14, 384), (14, 512)]
    assert sizes("squeezenet") == sizes("squeezenet_1_1")


def test_one_map_for_each_output():
    net = squeezenet.build((64, 64, 3), 10, squeezenet.Config(stem="large"))
    assert net.get_layer("logits").input.shape == (None, 4, 4, 10)


def test_refuses_stochastic_depth():
    with pytest.raises(ValueError, match=r"squeezenet has no residual branches.*Received: 0\.1"):
        squeezenet.build((32, 32, 3), 10, squeezenet.Config(stochastic_depth=0.1))
