"""AlexNet: the sizes of its maps, and the head that it shares with VGG."""

import dataclasses

import keras
import numpy as np
import pytest

from tfrec.architectures.image import alexnet


def maps(side, config):
    """Height and width after the stem and after each pooling, and the units of each dense layer."""
    with keras.StatelessScope():
        net = alexnet.build((side, side, 3), 10, config)
    sides = [net.get_layer(name).output.shape[1:3] for name in ("stem_conv", "stem_pool", "stage1_pool", "stage3_pool")]
    return sides, [layer.units for layer in net.layers if isinstance(layer, keras.layers.Dense)]


def test_maps_of_the_paper():
    sides, dense = maps(224, alexnet.Config())
    assert sides == [(side, side) for side in (55, 27, 13, 6)]
    assert dense == [4096, 4096, 10]
    assert maps(227, alexnet.Config())[0][-1] == (6, 6)


def test_small_images():
    sides, dense = maps(32, alexnet.Config())
    assert sides == [(side, side) for side in (32, 15, 7, 3)]
    assert dense == [10]
    # Poolings keep at least one pixel.
    assert maps(32, alexnet.Config(stem="large"))[0] == [(side, side) for side in (7, 3, 1, 1)]


def test_units_of_the_dense_layers():
    assert maps(32, alexnet.Config(fc_units=64))[1] == [64, 64, 10]
    assert maps(224, alexnet.Config(fc_units=0))[1] == [10]
    assert maps(224, alexnet.Config(width_multiplier=0.25))[1] == [1024, 1024, 10]
    with pytest.raises(ValueError, match=r"fc_units must be 0 or more\. Received: -1"):
        alexnet.Config(fc_units=-1)


def test_dropout_is_active_in_training_only():
    keras.utils.set_random_seed(0)  # with other weights all activations may be 0
    net = alexnet.build((32, 32, 3), 5, alexnet.Config(width_multiplier=0.1, fc_units=40))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(net(images), net(images))
    assert (np.array(net(images, training=True)) != np.array(net(images, training=True))).any()


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"at least 7 pixels. Received: \(6, 32, 3\)"):
        alexnet.build((6, 32, 3), 5, alexnet.Config(stem="large"))
    assert alexnet.build((1, 2, 3), 5, dataclasses.replace(alexnet.Config(), width_multiplier=0.1))
    with pytest.raises(ValueError, match="no residual branches"):
        alexnet.build((32, 32, 3), 5, alexnet.Config(stochastic_depth=0.1))
