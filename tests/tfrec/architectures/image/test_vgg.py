"""VGG: Keras's at both depths, and small images."""

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.keras_applications import check_equals_keras
from tfrec.architectures.image import vgg


@pytest.mark.parametrize("name", ["vgg16", pytest.param("vgg19", marks=pytest.mark.slow)])
def test_equals_keras(name):
    shape = (41, 70, 3)  # sides that poolings round
    make = getattr(keras.applications, vgg.IMAGENET[name][0])
    check_equals_keras(name, make(weights=None, input_shape=shape, classes=10, classifier_activation=None), shape)


def test_small_images():
    places = {}
    for stem in ("auto", "large"):
        net = vgg.build((32, 32, 3), 10, vgg.Config(stem=stem, width_multiplier=0.1))
        places[stem] = net.get_layer("stage5_pool").output.shape[1:3]
        assert [layer.name for layer in net.layers if layer.name.startswith("fc")] == ["fc1", "fc2"] * (stem == "large")
    assert places == {"auto": (2, 2), "large": (1, 1)}


def test_batch_norm_goes_between_convolution_and_relu():
    net = vgg.build((32, 32, 3), 10, vgg.Config(width_multiplier=0.1, batch_norm=True))
    assert [layer.name for layer in net.layers[1:4]] == ["stage1_0_conv", "stage1_0_norm", "stage1_0_relu"]
    assert not any(layer.use_bias for layer in net.layers if isinstance(layer, keras.layers.Conv2D))
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in net.layers) == 13


def test_signal_keeps_its_size():
    """Sixteen convolutions without normalization neither shrink nor enlarge the signal."""
    keras.utils.set_random_seed(1)
    net = vgg.build((32, 32, 3), 10, vgg.VGG19)
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    features = keras.Model(net.input, net.get_layer("stage5_3_conv").output)(images)
    assert 0.3 < np.std(features) < 3


def test_refuses_wrong_arguments():
    for depths in ((), (2, 0, 2)):
        with pytest.raises(ValueError, match=r"model\.depths"):
            vgg.build((32, 32, 3), 10, vgg.Config(depths=depths))
    with pytest.raises(ValueError, match="no residual branches"):
        vgg.build((32, 32, 3), 10, vgg.Config(stochastic_depth=0.1))
    assert vgg.build((1, 2, 3), 5, vgg.Config(stem="large", width_multiplier=0.1, fc_units=8))
