"""GoogLeNet: the published number of weights; stages and branches of the paper's table 1."""

import math

import keras
import pytest

from tfrec.architectures.image import googlenet


def test_weights_of_the_published_network():
    """Those of bvlc_googlenet (github.com/BVLC/caffe) without its auxiliary classifiers."""
    with keras.StatelessScope():  # no weights are drawn
        net = googlenet.build((224, 224, 3), 1000, googlenet.Config(batch_norm=False))
    assert sum(math.prod(weight.shape) for weight in net.weights) == 6_998_552


def test_sizes_of_the_paper():
    with keras.StatelessScope():
        net = googlenet.build((224, 224, 3), 1000, googlenet.Config())
    expected = {"stage3_0": (28, 256), "stage3_1": (28, 480), "stage4_0": (14, 512), "stage4_4": (14, 832)}
    expected |= {"stage5_0": (7, 832), "stage5_1": (7, 1024)}
    for name, (pixels, channels) in expected.items():
        assert net.get_layer(f"{name}_concat").output.shape == (None, pixels, pixels, channels)


def test_refuses_stochastic_depth():
    with pytest.raises(ValueError, match=r"googlenet has no residual branches.*Received: 0\.1"):
        googlenet.build((32, 32, 3), 10, googlenet.Config(stochastic_depth=0.1))
