"""Comparison with the networks of keras.applications."""

import dataclasses

import keras
import numpy as np

from tfrec import architectures
from tfrec.pretrained.layers import copy_weights, layers_with_weights


def check_equals_keras(name, twin, shape, rescaling=1.0, **changes):
    """Asserts that our network with the weights of `twin` has the same logits for random images.

    `rescaling` is what `twin` multiplies its input (batch, *shape) by; `changes` are made to the config of `name`.
    """
    random = np.random.default_rng(7)
    # Each with its own color: global pooling of noise alone gives nearly the same means.
    images = random.normal(size=(4, *shape)) + 2 * random.normal(size=(4, 1, 1, shape[-1]))
    images = (images / rescaling).astype("float32")
    randomize(twin, random, images)
    config = dataclasses.replace(architectures.default_config(name), stem="large", **changes)
    ours = architectures.build_network(config, shape, twin.output.shape[-1], "image")
    copy_weights(twin, ours)
    # Rounded in the same way: a hundred layers of random weights amplify the smallest difference.
    expected, logits = np.array(twin(images)), np.array(ours(images * np.float32(rescaling)))
    spread = expected.std(axis=0).mean()  # over the images: a network that ignores them would agree with anything
    assert 0.1 < spread < 10
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * spread)


def randomize(twin, random, images):
    """Draws every weight, and takes the statistics of batch normalization from the images.

    The signal then neither fades nor grows, and no two channels are alike.
    """
    for layer in layers_with_weights(twin):
        layer.set_weights([_drawn(random, layer, weight) for weight in layer.weights])
    rates = [(layer, name) for layer in twin.layers for name in ("momentum", "rate") if hasattr(layer, name)]
    values = [getattr(layer, name) for layer, name in rates]
    for layer, name in rates:  # the statistics of this batch, without dropout
        setattr(layer, name, 0.0)
    twin(images, training=True)
    for (layer, name), rate in zip(rates, values, strict=True):
        setattr(layer, name, rate)


def _drawn(random, layer, weight):
    if weight.name in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, weight.shape)
    if len(weight.shape) == 1:
        return random.normal(scale=0.2, size=weight.shape)
    inputs = weight.shape[:2] if isinstance(layer, keras.layers.DepthwiseConv2D) else weight.shape[:-1]
    return random.normal(scale=np.sqrt(2 / np.prod(inputs)), size=weight.shape)
