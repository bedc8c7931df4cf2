"""The Vision Transformer against plain NumPy, and its patches."""

import dataclasses

import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.image import vit

SMALL = vit.Config(width=8, depth_multiplier=0.2, patch=3)


def test_whole_network():
    net = vit.build((6, 9, 2), 4, SMALL)
    images = np.random.default_rng(0).normal(size=(2, 6, 9, 2)).astype("float32")
    assert net.get_layer("stem_position").grid == (2, 3)
    layer = {part.name: reference.randomize(part) for part in net.layers if part.weights}
    kernel, bias = layer["stem_conv"]
    for image, logits in zip(images, np.asarray(net(images)), strict=True):
        patches = [image[i : i + 3, j : j + 3].reshape(-1) for i in (0, 3) for j in (0, 3, 6)]
        x = reference.dense(np.array(patches), kernel.reshape(-1, 8), bias)
        x = np.concatenate([layer["stem_class"][0][None], x]) + layer["stem_position"][0]
        for i in range(2):
            x = reference.block(x, net, f"block{i}", vit.EPSILON)
        token = reference.layer_norm(x, *layer["final_norm"], vit.EPSILON)[0]
        np.testing.assert_allclose(logits, reference.dense(token, *layer["logits"]), atol=1e-4)


def test_patch():
    def patch(shape, **changes):
        config = dataclasses.replace(SMALL, **{"patch": None, **changes})
        return vit.build(shape, 4, config).get_layer("stem_conv").kernel.shape[0]

    assert patch((224, 224, 3)) == 16
    assert patch((28, 28, 1)) == 4
    assert patch((32, 32, 3), stem="large") == 16
    assert patch((32, 48, 3), patch=8) == 8


@pytest.mark.parametrize(("shape", "patch"), [((30, 32, 3), 4), ((32, 30, 3), 4), ((32, 32, 3), 0), ((8, 8, 3), 16)])
def test_patch_must_divide(shape, patch):
    with pytest.raises(ValueError, match=f"model.patch, here {patch}, must divide"):
        vit.build(shape, 4, dataclasses.replace(SMALL, patch=patch))
