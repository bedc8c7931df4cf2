"""Self-attention against plain NumPy."""

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.attention import MASKED_LOGIT, Attention, check_heads, num_heads
from tfrec.architectures.layers.relative_attention import RelativeAttention

RANDOM = np.random.default_rng(0)


def tokens(*shape):
    return RANDOM.normal(size=shape).astype("float32")


@pytest.mark.parametrize("given", [(), ("keep",), ("bias",), ("keep", "bias")])
@pytest.mark.parametrize("arguments", [{}, {"units": 7}, {"qkv_bias": False}])
def test_attention(given, arguments):
    x = tokens(2, 5, 6)
    inputs = {"keep": np.array([[1, 0, 1, 1, 1], [1, 1, 0, 0, 1]], bool), "bias": tokens(2, 5, 5)}
    inputs = {name: inputs[name] for name in given}
    layer = Attention(2, 4, **arguments)
    layer.build(x.shape)
    for i in range(2):
        example = {name: value[i] if name == "keep" else value for name, value in inputs.items()}
        expected = reference.attention(x[i], layer, **example)
        np.testing.assert_allclose(layer(x, **inputs)[i], expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == tuple(layer(x).shape)


def test_masked_tokens_change_nothing():
    layer = Attention(2, 4)
    x = tokens(1, 5, 6)
    keep = np.array([[True, True, True, False, False]])
    other = x.copy()
    other[:, 3:] += 100
    np.testing.assert_allclose(layer(other, keep=keep)[:, :3], layer(x, keep=keep)[:, :3], atol=1e-6)
    by_query = np.tril(np.ones((1, 5, 5), bool))  # no later tokens
    np.testing.assert_allclose(layer(other, keep=by_query)[:, :3], layer(x, keep=by_query)[:, :3], atol=1e-6)
    assert np.isfinite(layer(x, keep=np.zeros((1, 5), bool))).all()
    assert MASKED_LOGIT < -1e6


def test_causal_attention_equals_attention_over_earlier_tokens():
    x = tokens(2, 4, 6)
    for kind in (Attention, RelativeAttention):
        layer = kind(2, 3, causal=True)
        assert kind.from_config(layer.get_config()).causal
        layer.build(x.shape)
        reference.randomize(layer)
        free = kind(2, 3)
        free.build(x.shape)
        free.set_weights(layer.get_weights())
        bias = RANDOM.normal(size=(2, 4, 4)).astype("float32")
        for given in (None, bias):
            result = np.asarray(layer(x, bias=given))
            for i in range(4):
                within = None if given is None else given[:, : i + 1, : i + 1]
                np.testing.assert_allclose(result[:, i], free(x[:, : i + 1], bias=within)[:, i], atol=1e-5)


def test_dropout_acts_in_training_only():
    layer = Attention(2, 4, dropout=0.5)
    x = tokens(2, 5, 6)
    np.testing.assert_array_equal(layer(x), layer(x, training=False))
    assert np.abs(layer(x, training=True) - layer(x)).max() > 1e-4


def test_any_number_of_tokens():
    features, keep = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    net = keras.Model([features, keep], Attention(2, 4)(features, keep=keep))
    for count in (1, 9):
        assert net([tokens(2, count, 6), np.ones((2, count), bool)]).shape == (2, count, 6)


def test_number_of_heads():
    assert [num_heads(units) for units in (8, 48, 192, 384, 768)] == [1, 1, 3, 6, 12]
    assert num_heads(96, 32) == 3
    check_heads(96, 4)
    with pytest.raises(ValueError, match=r"twice model\.heads\. Received: \(96, 5\)"):
        check_heads(96, 5)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"must be positive. Received: \(0, 4\)"):
        Attention(0, 4)
