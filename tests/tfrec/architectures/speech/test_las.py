"""Listen, Attend and Spell: the pyramid of the encoder."""

import dataclasses

import keras
import numpy as np
import pytest

from tfrec.architectures.speech import las

SMALL = las.Config(units=3, depth=3, pyramid=2, decoder=4, width=5)


def build(**changes):
    keras.utils.set_random_seed(1)
    return las.build((None, 4), 5, dataclasses.replace(SMALL, **changes))


@pytest.mark.parametrize("frames", [1, 2, 5, 6])
def test_pairs_of_frames_are_joined(frames):
    x = np.random.default_rng(0).normal(size=(2, frames, 3)).astype("float32")
    pairs = np.asarray(las.JoinPairs()(x))
    assert pairs.shape == (2, -(-frames // 2), 6) == las.JoinPairs().compute_output_shape(x.shape)
    np.testing.assert_array_equal(pairs.reshape(2, -1, 3)[:, :frames], x)
    assert not pairs.reshape(2, -1, 3)[:, frames:].any()


@pytest.mark.parametrize(("pyramid", "steps"), [(1, [5, 2]), (3, [2, 1])])
def test_every_layer_of_the_pyramid_halves_time(pyramid, steps):
    net = build(pyramid=pyramid)
    features = np.random.default_rng(0).normal(size=(2, 9, 4)).astype("float32")
    outputs = net({"features": features, "frames": np.array([9, 4]), "tokens": np.zeros((2, 1), "int32")})
    np.testing.assert_array_equal(outputs["steps"], steps)
    assert outputs["logits"].shape == (2, steps[0], 5)
    read = [net.get_layer(f"listen{i}").input[0].shape[-1] for i in range(3)]
    assert read == [4 * (1 + (pyramid == 3))] + [6 * (1 + (i >= 3 - pyramid)) for i in (1, 2)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"pyramid": 4}, "from 0 to the 3 layers of the encoder. Received: 4"), ({"decoder": 0}, "must be positive")],
)
def test_refuses_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)
