"""Attention, the encoder's block and the places on a grid, against plain numpy."""

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import plain
from tfrec.architectures.transformer import (
    LOWEST,
    Attention,
    ClassToken,
    PositionEmbedding,
    heads_of,
    resampled,
    transformer_block,
)

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
        one = {name: value[i] if name == "keep" else value for name, value in inputs.items()}
        expected = plain.attention(x[i], layer, **one)
        np.testing.assert_allclose(layer(x, **inputs)[i], expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == tuple(layer(x).shape)


def test_tokens_that_are_not_kept_change_nothing():
    layer = Attention(2, 4)
    x = tokens(1, 5, 6)
    keep = np.array([[True, True, True, False, False]])
    other = x.copy()
    other[:, 3:] += 100
    np.testing.assert_allclose(layer(other, keep=keep)[:, :3], layer(x, keep=keep)[:, :3], atol=1e-6)
    by_looker = np.tril(np.ones((1, 5, 5), bool))  # nobody looks ahead
    np.testing.assert_allclose(layer(other, keep=by_looker)[:, :3], layer(x, keep=by_looker)[:, :3], atol=1e-6)
    assert np.isfinite(layer(x, keep=np.zeros((1, 5), bool))).all()
    assert LOWEST < -1e6


def test_attention_drops_in_training_only():
    layer = Attention(2, 4, dropout=0.5)
    x = tokens(2, 5, 6)
    np.testing.assert_array_equal(layer(x), layer(x, training=False))
    assert np.abs(layer(x, training=True) - layer(x)).max() > 1e-4


def test_attention_over_any_number_of_tokens():
    features, keep = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    net = keras.Model([features, keep], Attention(2, 4)(features, keep=keep))
    for count in (1, 9):
        assert net([tokens(2, count, 6), np.ones((2, count), bool)]).shape == (2, count, 6)


def test_block():
    features = keras.Input((5, 6))
    net = keras.Model(features, transformer_block(features, {"heads": 2, "size": 4}, 11, "block0", rate=0.3))
    x = tokens(2, 5, 6)
    expected = [plain.block(example, net, "block0", epsilon=1e-6) for example in x]
    np.testing.assert_allclose(net(x), expected, atol=1e-4)
    assert np.abs(net(x, training=True) - net(x)).max() > 1e-4  # stochastic depth


def test_number_of_heads():
    assert [heads_of(units) for units in (8, 48, 192, 384, 768)] == [1, 1, 3, 6, 12]
    assert heads_of(96, 32) == 3


def test_class_token_comes_first_and_places_are_added():
    x = tokens(2, 6, 4)
    with_class = ClassToken()
    result = np.asarray(with_class(x))
    np.testing.assert_array_equal(result[:, 1:], x)
    np.testing.assert_array_equal(result[:, 0], np.repeat(np.asarray(with_class.token)[None], 2, axis=0))
    layer = PositionEmbedding((2, 3), prefix=1)
    np.testing.assert_allclose(layer(result) - result, np.repeat(layer.embedding[None], 2, axis=0), atol=1e-6)
    again = PositionEmbedding.from_config(layer.get_config())
    assert (again.grid, again.prefix, again.stddev) == ((2, 3), 1, 0.02)


def grown(grid, prefix=1):
    layer = PositionEmbedding(grid, prefix=prefix)
    layer.build((None, prefix + grid[0] * grid[1], 2))
    return layer


def ramp(rows, columns):
    """An array (rows * columns, 2) of how far down and how far right each place is, from 0 to 1."""
    down, right = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    return np.stack(np.meshgrid(down, right, indexing="ij"), axis=-1).reshape(-1, 2).astype("float32")


@pytest.mark.parametrize("grid", [(4, 4), (8, 8), (3, 9)])
def test_places_of_another_grid(grid):
    """Places mean the same share of the picture in every grid; the token before them stays as it is."""
    token = np.array([[5.0, -5.0]], "float32")
    layer = grown(grid)
    adapted = layer.adapted(np.concatenate([token, ramp(6, 6)]))
    assert adapted.shape == tuple(layer.embedding.shape)
    assert adapted.dtype == "float32"
    np.testing.assert_array_equal(adapted[:1], token)
    # The outermost places lie outside the old ones, where the ramp does not go on.
    inner = (ramp(*grid) > 0.2).all(axis=-1) & (ramp(*grid) < 0.8).all(axis=-1)
    assert inner.any()
    np.testing.assert_allclose(adapted[1:][inner], ramp(*grid)[inner], atol=0.04)
    layer.embedding.assign(adapted)


def test_places_of_the_same_grid_stay():
    places = tokens(37, 2)
    np.testing.assert_allclose(grown((6, 6)).adapted(places), places, atol=1e-5)


@pytest.mark.parametrize("shape", [(37,), (36, 2), (1, 2), (37, 3)])
def test_refuses_to_adapt_what_is_no_square(shape):
    with pytest.raises(ValueError, match=r"Received: \(\d+,"):
        grown((4, 4)).adapted(np.zeros(shape))


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"takes 7 tokens. Received: 6"):
        PositionEmbedding((2, 3), prefix=1).build((None, 6, 4))
    with pytest.raises(ValueError, match=r"must be positive. Received: \(0, 4\)"):
        Attention(0, 4)


def test_resampling_smooths():
    """A picture of single bright pixels does not depend on which of them a smaller grid meets."""
    dots = np.zeros((8, 8, 1), "float32")
    dots[::4, ::4] = 1.0
    assert resampled(dots, (2, 2), "bilinear").min() > 0.01
