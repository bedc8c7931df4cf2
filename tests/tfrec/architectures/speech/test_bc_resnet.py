"""BC-ResNet: the paper's sizes, and its normalization by sub-bands."""

import math

import keras
import numpy as np
import pytest

from tfrec import architectures
from tfrec.architectures.speech.bc_resnet import SubSpectralNorm, TimeConvolution

# Table 2 of arXiv:2106.04140, thousands, for 40 mels and 12 classes.
THOUSANDS = {"bc_resnet_1": 9.2, "bc_resnet_2": 27.3, "bc_resnet_3": 54.2, "bc_resnet_6": 188, "bc_resnet_8": 321}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name[-1] not in "18")) for name in THOUSANDS]
)
def test_parameters_of_the_paper(name):
    with keras.StatelessScope():
        net = architectures.build_network(architectures.default_config(name), (None, 40), 12, "sequence")
    count = sum(math.prod(weight.shape) for weight in net.trainable_weights)
    assert count / 1000 == pytest.approx(THOUSANDS[name], abs=0.5 if THOUSANDS[name] > 100 else 0.05)


@pytest.mark.parametrize(("frequencies", "bands"), [(20, 5), (10, 5), (7, 1), (12, 4), (3, 3), (1, 1)])
@pytest.mark.parametrize("training", [False, True])
def test_sub_spectral_norm(frequencies, bands, training):
    random = np.random.default_rng(0)
    x = random.normal(2.0, 3.0, size=(2, 6, frequencies, 3)).astype("float32")
    keep = np.arange(6) < np.array([[6], [4]])
    layer = SubSpectralNorm(5)
    layer.build(x.shape)
    weights = {
        weight.name: random.uniform(0.5, 2.0, size=weight.shape).astype("float32") for weight in layer.norm.weights
    }
    for weight in layer.norm.weights:
        weight.assign(weights[weight.name])
    result = np.asarray(layer(x, keep, training=training))
    assert layer.bands == bands
    assert layer.compute_output_shape(x.shape) == result.shape
    width = frequencies // bands
    for band in range(bands):
        for channel in range(3):
            part = np.s_[:, :, band * width : (band + 1) * width, channel]
            gamma, beta, mean, variance = (weights[name][3 * band + channel] for name in weights)
            if training:
                mean, variance = x[part][keep].mean(), x[part][keep].var()
            expected = (x[part][keep] - mean) / np.sqrt(variance + 1e-5) * gamma + beta
            np.testing.assert_allclose(result[part][keep], expected, atol=1e-4)


@pytest.mark.parametrize("bins", [13, 23, 64])
def test_any_number_of_bins(bins):
    config = architectures.default_config("bc_resnet_1")
    net = architectures.build_network(config, (None, bins), 3, "sequence")
    logits = net({"features": np.zeros((1, 4, bins), "float32"), "frames": np.array([4])})
    assert logits.shape == (1, 3)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"must be positive. Received: 0"):
        SubSpectralNorm(0)


@pytest.mark.parametrize("dilation", [1, 2, 8])
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_convolution_over_time_equals_keras(dilation, frames):
    ours = TimeConvolution(dilation)
    theirs = keras.layers.DepthwiseConv1D(3, padding="same", dilation_rate=dilation, use_bias=False)
    x = np.random.default_rng(0).normal(size=(2, frames, 5)).astype("float32")
    ours(x), theirs(x)
    ours.kernel.assign(theirs.kernel)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)
