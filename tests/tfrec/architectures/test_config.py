"""What the builders share."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.architectures.base import ImageModelConfig, StochasticDepth, drop_rates


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_stochastic_depth_leaves_out_whole_examples(policy, jit_compile):
    layer = StochasticDepth(0.25, seed=3, dtype=policy)
    branch = np.random.default_rng(0).uniform(1, 2, (4000, 2, 3)).astype("float32")
    call = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    result = np.array(tf.cast(call(branch), tf.float32))
    left_out = (result == 0).all(axis=(1, 2))
    assert left_out.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(result[~left_out], branch[~left_out] / 0.75, rtol=1e-2 if "b" in policy else 1e-6)
    assert result.mean() == pytest.approx(branch.mean(), rel=0.05)
    assert (np.array(call(branch)) == 0).all(axis=(1, 2)).tolist() != left_out.tolist()  # drawn anew


def test_stochastic_depth_does_nothing_in_inference():
    branch = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    layer = StochasticDepth(0.9)
    for training in (False, None):
        np.testing.assert_array_equal(layer(branch, training=training), branch)
    again = StochasticDepth.from_config(layer.get_config())
    assert (again.rate, again.seed) == (0.9, None)
    assert layer.compute_output_shape((None, 5)) == (None, 5)
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"Received: {rate}"):
            StochasticDepth(rate)


def test_rates_rise_linearly_to_the_last_block():
    assert drop_rates(ImageModelConfig(stochastic_depth=0.4), 4) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert drop_rates(ImageModelConfig(), 3) == [0, 0, 0]


def test_multipliers():
    config = ImageModelConfig(width_multiplier=0.3, depth_multiplier=0.5)
    assert [config.channels(number) for number in (8, 64, 100)] == [8, 16, 32]
    assert [config.repeats(number) for number in (1, 2, 6)] == [1, 1, 3]
    assert ImageModelConfig().channels(37) == 37
    for field in ("width_multiplier", "depth_multiplier"):
        with pytest.raises(ValueError, match=rf"model\.{field} must be above 0. Received: 0"):
            ImageModelConfig(**{field: 0})
    with pytest.raises(ValueError, match=r"model\.dropout.*Received: 1"):
        ImageModelConfig(dropout=1)


def test_a_network_with_stochastic_depth_is_saved_and_loaded(tmp_path):
    features = keras.Input((4,))
    keras.Model(features, StochasticDepth(0.2)(features)).save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.layers[-1].rate == 0.2
