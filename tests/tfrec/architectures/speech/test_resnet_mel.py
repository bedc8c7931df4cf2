"""The study's residual network: its shortcuts, its poolings, and the mean over what is in a clip."""

import keras
import numpy as np
import pytest

from tfrec.architectures.speech import resnet_mel


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(1)
    return resnet_mel.build((None, 20), 3, resnet_mel.Config(width=8))


@pytest.fixture(scope="module")
def clips():
    features = np.random.default_rng(0).normal(size=(2, 13, 20)).astype("float32")
    return {"features": features, "frames": np.array([13, 6])}


def output(net, name, clips):
    return np.array(keras.Model(net.input, net.get_layer(name).output)(clips))


def test_without_its_branch_a_block_is_its_projection(net, clips):
    for block, inputs in enumerate(("image", "block0_pool", "block1_pool")):
        last = net.get_layer(f"block{block}_2_norm")
        weights = last.get_weights()
        x, with_branch = (output(net, name, clips) for name in (inputs, f"block{block}_clip"))
        last.set_weights([np.zeros_like(weight) for weight in weights[:2]] + weights[2:])  # scale and offset
        without = output(net, f"block{block}_clip", clips)
        last.set_weights(weights)
        projection = np.maximum(x @ net.get_layer(f"block{block}_0_conv").kernel[0, 0], 0) / np.sqrt(1 + 1e-3)
        np.testing.assert_allclose(without, projection, atol=1e-4)
        assert np.abs(with_branch - without).max() > 0.1


def test_each_block_halves_the_map_and_doubles_the_filters(net, clips):
    maps = [output(net, f"block{block}_pool", clips).shape[1:] for block in range(3)]
    assert maps == [(7, 10, 8), (4, 5, 16), (2, 3, 32)]


def test_features_are_the_mean_over_the_clip(net, clips):
    last, embedding = (output(net, name, clips) for name in ("block2_pool", "embedding"))
    for own, mean, rows in zip(last, embedding, (2, 1), strict=True):  # 13 and 6 frames, halved three times
        np.testing.assert_allclose(mean, own[:rows].mean(axis=(0, 1)), rtol=1e-5)


def test_head_is_the_study_s():
    net = resnet_mel.build((None, 20), 11, resnet_mel.Config())
    assert [layer.name for layer in net.layers][-4:] == ["embedding", "fc", "dropout", "logits"]
    assert [net.get_layer(f"block{block}_2_conv").filters for block in range(3)] == [64, 128, 256]
    assert (net.get_layer("fc").units, net.get_layer("dropout").rate) == (128, 0.5)


@pytest.mark.parametrize("changes", [{"width": 0}, {"depth": 0}, {"fc_units": -1}])
def test_refuses_wrong_sizes(changes):
    with pytest.raises(ValueError, match="Received: "):
        resnet_mel.build((None, 20), 3, resnet_mel.Config(**changes))
