"""The perceptron over clips, which are interpolated to one number of frames."""

import keras
import numpy as np
import pytest

from tfrec.architectures.image import mlp


def test_clips_are_interpolated_then_flattened():
    net = mlp.build((None, 3), 2, mlp.Config(frames=8))
    flat = keras.Model(net.input, net.get_layer("flatten").output)
    features = np.random.default_rng(0).normal(size=(2, 21, 3)).astype("float32")
    counts = np.array([5, 21])
    for clip, count, vector in zip(features, counts, flat({"features": features, "frames": counts}), strict=True):
        places = np.linspace(0, count - 1, 8)
        expected = np.stack([np.interp(places, np.arange(count), clip[:count, i]) for i in range(3)], axis=1)
        np.testing.assert_allclose(vector, expected.ravel(), atol=1e-5)


def test_tempo_changes_nothing():
    net = mlp.build((None, 3), 2, mlp.Config())
    slow = np.linspace(0, [1, -2, 3], 100, dtype="float32")[None]
    fast = np.linspace(0, [1, -2, 3], 10, dtype="float32")[None]
    logits = [net({"features": clip, "frames": np.array([clip.shape[1]])}) for clip in (slow, fast)]
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-5)


def test_images_are_flattened():
    net = mlp.build((4, 5, 3), 2, mlp.Config())
    assert [layer.name for layer in net.layers][:3] == ["features", "flatten", "hidden0"]
    assert net.input_shape == (None, 4, 5, 3)


@pytest.mark.parametrize("shape", [(None, 4, 3), (4, None), (None, None)])
def test_refuses_unknown_sizes(shape):
    with pytest.raises(ValueError, match=r"mlp takes .* Received: "):
        mlp.build(shape, 2, mlp.Config())


def test_refuses_a_single_frame():
    with pytest.raises(ValueError, match=r"frames must be at least 2\. Received: 1"):
        mlp.build((None, 3), 2, mlp.Config(frames=1))
