"""The encoder block of Transformers against plain NumPy."""

import keras
import numpy as np

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.transformer_block import transformer_block


def test_block():
    features = keras.Input((5, 6))
    net = keras.Model(features, transformer_block(features, {"heads": 2, "size": 4}, 11, "block0", rate=0.3))
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    expected = [reference.block(example, net, "block0", epsilon=1e-6) for example in x]
    np.testing.assert_allclose(net(x), expected, atol=1e-4)
    assert np.abs(net(x, training=True) - net(x)).max() > 1e-4  # stochastic depth
