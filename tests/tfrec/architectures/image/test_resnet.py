"""ResNet: Keras's at three depths, PyTorch's padding, and residual branches that start as zeros."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.keras_applications import check_equals_keras
from tfrec.architectures import registry
from tfrec.architectures.image import resnet
from tfrec.architectures.layers.stochastic_depth import StochasticDepth

SMALL = {"width_multiplier": 0.25, "depths": (1, 2)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "resnet50")) for name in resnet.IMAGENET]
)
def test_equals_keras(name):
    shape = (45, 70, 3)  # odd and even sides, whose paddings differ
    make = getattr(keras.applications, resnet.IMAGENET[name][0])
    check_equals_keras(name, make(weights=None, input_shape=shape, classes=10, classifier_activation=None), shape)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("stem", ["large", "small"])
def test_blocks_start_as_their_shortcuts(block, stem):
    """A new network is its stem and shortcuts; with another last scale the branches count."""
    net = resnet.build((32, 32, 3), 10, resnet.Config(stem=stem, block=block, **SMALL))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    last = {"basic": "2_norm", "bottleneck": "3_norm"}[block]
    sums = [layer for layer in net.layers if layer.name.endswith("_add")]
    assert len(sums) == 3
    for layer in sums:
        shortcut, branch = layer.input
        outputs = keras.Model(net.input, [shortcut, layer.output, branch])(images, training=True)
        assert np.std(outputs[0]) > 0.1
        np.testing.assert_array_equal(outputs[0], outputs[1])
        net.get_layer(layer.name.removesuffix("add") + last).gamma.assign_add(np.ones(branch.shape[-1]))
        assert np.std(keras.Model(net.input, branch)(images, training=True)) > 0.5


def test_branch_and_shortcut_see_the_same_place():
    """Where a block strides, its 3x3 filters are centered on the pixels of its shortcut, at even sizes too."""
    net = resnet.build((8, 8, 1), 2, resnet.Config(stem="small", block="basic", depths=(1, 1)))
    pad, conv = net.get_layer("stage2_0_1_pad"), net.get_layer("stage2_0_1_conv")
    shortcut = net.get_layer("stage2_0_0_conv")
    for layer in (conv, shortcut):
        kernel = np.zeros(layer.kernel.shape, "float32")
        kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = np.eye(*kernel.shape[2:])
        layer.set_weights([kernel])
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 64)).astype("float32")
    np.testing.assert_allclose(conv(pad(image)), shortcut(image), rtol=1e-5)


def test_stochastic_depth_rises_from_block_to_block():
    net = resnet.build((32, 32, 3), 10, resnet.Config(stochastic_depth=0.3, **SMALL))
    rates = [layer.rate for layer in net.layers if isinstance(layer, StochasticDepth)]
    assert rates == pytest.approx([0.1, 0.2, 0.3])
    for layer in net.layers:
        if layer.name.endswith("_3_norm"):
            layer.gamma.assign(np.ones(layer.gamma.shape))
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype("float32")
    assert (np.array(net(images, training=True)) != np.array(net(images, training=True))).any()
    np.testing.assert_array_equal(net(images), net(images))


def test_depths_multiply():
    config = resnet.Config(depths=(4, 6), depth_multiplier=0.5, width_multiplier=0.25)
    net = resnet.build((32, 32, 3), 10, config)
    assert [layer.name for layer in net.layers if layer.name.endswith("_add")] == [
        f"stage{stage}_{i}_add" for stage, depth in ((1, 2), (2, 3)) for i in range(depth)
    ]
    for depths in ((), (2, 0, 2)):
        with pytest.raises(ValueError, match=r"model\.depths"):
            resnet.build((32, 32, 3), 10, resnet.Config(depths=depths))


@pytest.mark.parametrize(
    ("name", "attention", "millions"),
    [("resnet_attention", "cbam", 11.78), ("resnet_attention", "squeeze_excitation", 11.78)],
)
def test_attention_has_the_weights_of_the_papers(name, attention, millions):
    """Table 4 of arXiv:1807.06521."""
    net = registry.build_network(
        dataclasses.replace(registry.default_config(name), attention=attention), (224, 224, 3), 1000, "image"
    )
    assert round(sum(np.prod(weight.shape) for weight in net.trainable_weights) / 1e6, 2) == millions


@pytest.mark.parametrize("attention", ["squeeze_excitation", "cbam"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_attention_scales_each_branch(block, attention):
    net = resnet.build((32, 32, 3), 10, resnet.Config(block=block, attention=attention, **SMALL))
    ends = {"squeeze_excitation": "attention_scale", "cbam": "attention_places"}
    for layer in net.layers:
        if layer.name.endswith("_add"):
            assert layer.input[1]._keras_history.operation.name == layer.name.removesuffix("add") + ends[attention]
