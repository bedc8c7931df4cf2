"""The Conformer block and its convolution module against plain NumPy."""

import keras
import numpy as np

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.conformer import convolution_module
from tfrec.architectures.speech import conformer

RANDOM = np.random.default_rng(0)


def test_convolution_module():
    features, keep = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    net = keras.Model([features, keep], convolution_module(features, keep, 3, "conv"))
    of = {layer.name: reference.randomize(layer) for layer in net.layers if layer.weights}
    net.get_layer("conv_batch_norm").moving_variance.assign([0.5, 1.0, 2.0, 3.0])
    gamma, beta, mean, _ = of["conv_batch_norm"]
    x = RANDOM.normal(size=(5, 4)).astype("float32")
    y = reference.layer_norm(x, *of["conv_norm"], 1e-6)
    y = reference.dense(y, *of["conv_expand"]) / (1 + np.exp(-reference.dense(y, *of["conv_gate"])))
    y = np.pad(y, ((1, 1), (0, 0)))
    kernel = of["conv_depth"][0][..., 0]  # (3, 4)
    y = sum(y[i : i + 5] * kernel[i] for i in range(3))
    y = (y - mean) / np.sqrt(np.array([0.5, 1.0, 2.0, 3.0]) + 1e-3) * gamma + beta
    y = reference.dense(y / (1 + np.exp(-y)), *of["conv_point"])
    np.testing.assert_allclose(net([x[None], np.ones((1, 5), bool)])[0], x + y, atol=1e-4)


def test_block_is_its_five_steps():
    """Equation 1: halves of the feed-forwards, all of the rest, and a normalization of the sum."""
    config = conformer.Config(width=8, depth=1, heads=2, kernel=3, filters=4, subsampling=1, dropout=0.0)
    net = conformer.build((None, 20), 3, config)
    for layer in net.layers:
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization):
            reference.randomize(layer)
    parts = ("first_shrink", "attention", "conv_point", "second_shrink", "second_dense_add", "norm")
    names = ["stem_project", *(f"block0_{part}" for part in parts)]
    steps = keras.Model(net.input, [net.get_layer(name).output for name in names])
    inputs = {"features": RANDOM.normal(size=(1, 6, 20)).astype("float32"), "frames": np.array([6])}
    start, first, attention, conv, second, total, normed = (np.asarray(y)[0] for y in steps(inputs))
    np.testing.assert_allclose(total, start + 0.5 * first + attention + conv + 0.5 * second, atol=1e-4)
    norm = [np.asarray(weight) for weight in net.get_layer("block0_norm").weights]
    np.testing.assert_allclose(normed, reference.layer_norm(total, *norm, 1e-6), atol=1e-4)
