"""ResDAVEnet: sizes of the authors' code, and its speech network in NumPy."""

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.multimodal.test_davenet import PUBLISHED, trainable
from tests.tfrec.architectures.multimodal.torch_style import batch_norm, convolution, randomize, relu, weights
from tfrec.architectures.multimodal import resdavenet


def test_sizes_are_those_of_the_authors():
    """ResNet-50 is torchvision's but for the biases of its 53 convolutions, and 1,024 frames become 64 steps."""
    with keras.StatelessScope():  # no weights are drawn
        net = resdavenet.build(PUBLISHED, 1024, resdavenet.Config())
        steps, _ = net.get_layer("speech_network")(
            {"features": keras.Input((1024, 40)), "frames": keras.Input((), dtype="int32")}
        )
    resnet50, speech = net.get_layer("image_network"), net.get_layer("speech_network")
    convolutions = [layer for layer in resnet50.layers if isinstance(layer, keras.layers.Conv2D)]
    assert (len(convolutions), sum(layer.filters for layer in convolutions)) == (53, 26_560)
    assert (trainable(resnet50), trainable(speech)) == (25_557_032 - 2_049_000 + 26_560, 44_670_976)
    assert net.get_layer("image_projection").output.shape == (None, 7, 7, 1024)
    assert steps.shape == (None, 64, 1024)


@pytest.mark.parametrize("frames", [33, 64])
def test_the_speech_network_equals_numpy(frames):
    config = resdavenet.Config(width_multiplier=0.06)
    net = resdavenet.build({"image": (64, 64, 1), "audio": (None, 10)}, 12, config)
    speech = net.get_layer("speech_network")
    randomize(speech)
    clip = np.random.default_rng(1).normal(size=(frames, 10))

    def normalized(x, name, stride=1):
        return batch_norm(
            convolution(x, *weights(speech, f"{name}_conv"), stride=stride), *weights(speech, f"{name}_norm")
        )

    x = relu(normalized(clip, "stem"))
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"stage{stage}_{block}", 2 - block
            shortcut = normalized(x, f"{name}_0", stride) if block == 0 else x
            x = relu(shortcut + normalized(relu(normalized(x, f"{name}_1", stride)), f"{name}_2"))
    padded = np.pad(clip, ((0, 7), (0, 0)), constant_values=np.nan)
    steps, mask = speech({"features": padded[None], "frames": np.array([frames])})
    assert len(x) == np.sum(mask) == -(-frames // 16)
    assert np.std(x) > 0.05
    np.testing.assert_allclose(steps[0, : len(x)], x, rtol=1e-3, atol=1e-3)
