"""CBAM: equations 2 and 3 of arXiv:1807.06521 in NumPy."""

import keras
import numpy as np
from scipy.signal import correlate2d

from tfrec.architectures.layers.cbam import cbam


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_equations_of_the_paper():
    random = np.random.default_rng(0)
    features = keras.Input((6, 5, 8))
    net = keras.Model(features, cbam(features, 3, "a"))
    for weight in net.weights:
        positive = "variance" in weight.path
        weight.assign(np.abs(random.normal(size=weight.shape)) + 0.5 if positive else random.normal(size=weight.shape))
    x = random.normal(size=(1, 6, 5, 8)).astype("float32")
    (reduce, reduce_bias), (expand, expand_bias) = (
        net.get_layer(f"a_{end}").get_weights() for end in ("reduce", "expand")
    )

    def shared(statistics):
        return np.maximum(statistics @ reduce[0, 0] + reduce_bias, 0) @ expand[0, 0] + expand_bias

    scaled = x[0] * sigmoid(shared(x[0].mean((0, 1))) + shared(x[0].max((0, 1))))
    statistics = np.stack([scaled.mean(-1), scaled.max(-1)], -1)
    (kernel,) = net.get_layer("a_places_conv").get_weights()
    places = sum(correlate2d(statistics[..., i], kernel[..., i, 0], mode="same") for i in range(2))
    gamma, beta, mean, variance = net.get_layer("a_places_norm").get_weights()
    places = (places - mean) / np.sqrt(variance + net.get_layer("a_places_norm").epsilon) * gamma + beta
    np.testing.assert_allclose(net(x)[0], scaled * sigmoid(places)[..., None], rtol=1e-4, atol=1e-5)
