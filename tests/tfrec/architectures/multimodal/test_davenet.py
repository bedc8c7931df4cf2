"""DAVEnet: sizes of the authors' code, and its speech network in NumPy."""

import math

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.multimodal.torch_style import batch_norm, convolution, max_pool, randomize, relu, weights
from tfrec.architectures.multimodal import davenet

PUBLISHED = {"image": (224, 224, 3), "audio": (None, 40)}


def trainable(network):
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


def test_sizes_are_those_of_the_authors():
    """VGG16's convolutions are torchvision's, and 1,024 frames become 64 steps."""
    with keras.StatelessScope():  # no weights are drawn
        net = davenet.build(PUBLISHED, 1024, davenet.Config())
        steps, _ = net.get_layer("speech_network")(
            {"features": keras.Input((1024, 40)), "frames": keras.Input((), dtype="int32")}
        )
    vgg16, speech = net.get_layer("image_network"), net.get_layer("speech_network")
    assert (trainable(vgg16), trainable(speech)) == (14_714_688, 15_965_570)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in vgg16.layers) == 13
    assert net.get_layer("image_projection").output.shape == (None, 14, 14, 1024)
    assert steps.shape == (None, 64, 1024)
    assert {name: tensor.shape for name, tensor in net.output.items()} == {
        "image": (None, 1024),
        "audio": (None, 1024),
        "log_scale": (None,),
    }


@pytest.mark.parametrize("frames", [33, 64])
def test_the_speech_network_equals_numpy(frames):
    net = davenet.build({"image": (64, 64, 1), "audio": (None, 10)}, 12, davenet.Config(width_multiplier=0.06))
    speech = net.get_layer("speech_network")
    randomize(speech)
    clip = np.random.default_rng(1).normal(size=(frames, 10))
    x = batch_norm(clip, *weights(speech, "norm"))
    x = relu(convolution(x, *weights(speech, "conv0")))
    for i in range(1, 5):
        x = max_pool(relu(convolution(x, *weights(speech, f"conv{i}"))))
    padded = np.pad(clip, ((0, 7), (0, 0)), constant_values=np.nan)
    steps, mask = speech({"features": padded[None], "frames": np.array([frames])})
    assert len(x) == np.sum(mask) == -(-frames // 16)
    assert np.std(x) > 0.05
    np.testing.assert_allclose(steps[0, : len(x)], x, rtol=1e-3, atol=1e-4)


def test_batch_norm_is_in_both_networks():
    config = davenet.Config(width_multiplier=0.06, batch_norm=True)
    net = davenet.build({"image": (64, 64, 1), "audio": (None, 10)}, 8, config)
    for name, count in (("image_network", 13), ("speech_network", 1 + 4)):
        layers = net.get_layer(name).layers
        assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in layers) == count


def test_small_images_keep_a_map():
    net = davenet.build({"image": (64, 64, 1), "audio": (None, 10)}, 8, davenet.Config(width_multiplier=0.06))
    assert net.get_layer("image_projection").output.shape == (None, 8, 8, 8)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"image": (64, 64, 1)}, "davenet takes an image"),
        ({"image": (64, None, 1), "audio": (None, 40)}, "davenet takes .height, width, channels."),
        ({"image": (64, 64, 1), "audio": (None, 40, 1)}, "davenet takes an image"),
        ((None, 40), "davenet takes an image"),
    ],
)
def test_other_shapes(shape, message):
    with pytest.raises(ValueError, match=message):
        davenet.build(shape, 8, davenet.Config())


@pytest.mark.parametrize(("field", "value"), [("width_multiplier", 0.0), ("temperature", 0.0)])
def test_settings_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"model\.{field} must be .*Received: 0"):
        davenet.Config(**{field: value})
