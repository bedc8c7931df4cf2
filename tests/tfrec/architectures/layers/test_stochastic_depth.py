"""Stochastic depth: whole examples, only in training, with rates that rise from block to block."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.architectures import ImageModelConfig
from tfrec.architectures.layers.stochastic_depth import StochasticDepth, drop_rates


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_drops_whole_examples(policy, jit_compile):
    layer = StochasticDepth(0.25, seed=3, dtype=policy)
    branch = np.random.default_rng(0).uniform(1, 2, (4000, 2, 3)).astype("float32")
    call = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    result = np.array(tf.cast(call(branch), tf.float32))
    dropped = (result == 0).all(axis=(1, 2))
    assert dropped.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(result[~dropped], branch[~dropped] / 0.75, rtol=1e-2 if "b" in policy else 1e-6)
    assert result.mean() == pytest.approx(branch.mean(), rel=0.05)
    assert (np.array(call(branch)) == 0).all(axis=(1, 2)).tolist() != dropped.tolist()  # drawn again


def test_is_the_identity_in_inference():
    branch = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    layer = StochasticDepth(0.9)
    for training in (False, None):
        np.testing.assert_array_equal(layer(branch, training=training), branch)
    copy = StochasticDepth.from_config(layer.get_config())
    assert (copy.rate, copy.seed) == (0.9, None)
    assert layer.compute_output_shape((None, 5)) == (None, 5)
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"Received: {rate}"):
            StochasticDepth(rate)


def test_rates_rise_linearly_to_the_last_block():
    assert drop_rates(ImageModelConfig(stochastic_depth=0.4), 4) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert drop_rates(ImageModelConfig(), 3) == [0, 0, 0]


def test_is_saved_and_loaded(tmp_path):
    features = keras.Input((4,))
    keras.Model(features, StochasticDepth(0.2)(features)).save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.layers[-1].rate == 0.2
