"""The compact convolutional Transformer: the paper's size, and its pooling against a loop."""

import math

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.image import cct


def test_parameters_of_the_paper():
    """3.76 million for CIFAR-10: table 2, and 3.760 in the authors' README; one less here, the bias of the pooling."""
    with keras.StatelessScope():
        net = cct.build((32, 32, 3), 10, cct.Config())
    count = sum(math.prod(weight.shape) for weight in net.trainable_weights)
    assert count == 3_760_138
    assert round(count / 1e6, 2) == 3.76


@pytest.mark.parametrize(
    ("side", "stem", "grid"), [(32, "auto", (16, 16)), (33, "small", (17, 17)), (224, "auto", (14, 14))]
)
def test_tokens(side, stem, grid):
    config = cct.Config(stem=stem, width_multiplier=0.03, depth_multiplier=0.1)
    net = cct.build((side, side, 3), 10, config)
    assert net.get_layer("stem_position").grid == grid
    assert net.get_layer("block0_attention").dropout == 0.1


def test_sequence_pooling():
    layer = cct.SequencePooling()
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    layer.build(x.shape)
    (kernel,) = reference.randomize(layer)
    for example, pooled in zip(x, np.asarray(layer(x)), strict=True):
        shares = [math.exp(sum(token[i] * kernel[i, 0] for i in range(4))) for token in example]
        expected = sum(share * token for share, token in zip(shares, example, strict=True)) / sum(shares)
        np.testing.assert_allclose(pooled, expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == (3, 4)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"attention_dropout must be at least 0 and below 1. Received: 1.0"):
        cct.Config(attention_dropout=1.0)
    with pytest.raises(ValueError, match=r"Received: \(32, 32\)"):
        cct.build((32, 32), 10, cct.Config())
