"""The Transformer on a residual network: any front, and tokens that see one another."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.small_networks import perturb
from tfrec.architectures.image import resnet_transformer

SMALL = resnet_transformer.Config(width_multiplier=0.25, depths=(1, 1), width=16, transformer_depth=1, heads=2)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_the_front_is_a_resnet(block):
    net = resnet_transformer.build((32, 24, 1), 3, dataclasses.replace(SMALL, block=block))
    assert net.get_layer("tokens").output.shape == (None, 16 * 12, 32 * (4 if block == "bottleneck" else 1))
    assert net.get_layer("embedding").output.shape == (None, 16)


def test_every_token_depends_on_all_places():
    """A quarter of the image changes the token of the opposite corner, which the residual stages alone do not see."""
    net = perturb(resnet_transformer.build((64, 64, 1), 3, SMALL))
    tokens = keras.Model(net.input, [net.get_layer("tokens").output, net.get_layer("final_norm").output])
    images = np.zeros((1, 64, 64, 1), "float32")
    before = tokens(images)
    images[0, :32, :32] = 50.0
    after = tokens(images)
    np.testing.assert_array_equal(before[0][0, -1], after[0][0, -1])
    assert np.abs(before[1][0, -1] - after[1][0, -1]).max() > 1e-4


def test_a_width_that_heads_cannot_share():
    with pytest.raises(ValueError, match=r"multiple of twice model\.heads\. Received: \(18, 4\)"):
        resnet_transformer.build((32, 32, 1), 3, dataclasses.replace(SMALL, width=18, heads=4))
