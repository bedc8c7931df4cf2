"""Positions of tokens: sinusoids, and embeddings of a grid that are resized to another."""

import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.positions import PositionEmbedding, SinusoidalPosition, resize_grid, sinusoids

RANDOM = np.random.default_rng(0)


def test_sinusoids():
    x = RANDOM.normal(size=(2, 7, 6)).astype("float32")
    np.testing.assert_allclose(SinusoidalPosition()(x) - x, np.stack([reference.sinusoids(7, 6)] * 2), atol=1e-5)
    np.testing.assert_allclose(sinusoids(np.array([-3.0]), 6)[0, :3], -sinusoids(np.array([3.0]), 6)[0, :3], atol=1e-6)
    with pytest.raises(ValueError, match=r"even number of units\. Received: 5"):
        SinusoidalPosition().build((None, 7, 5))


def test_embedding_is_added():
    x = RANDOM.normal(size=(2, 7, 4)).astype("float32")
    layer = PositionEmbedding((2, 3), prefix=1)
    np.testing.assert_allclose(layer(x) - x, np.repeat(layer.embedding[None], 2, axis=0), atol=1e-6)
    copy = PositionEmbedding.from_config(layer.get_config())
    assert (copy.grid, copy.prefix, copy.stddev) == ((2, 3), 1, 0.02)


def built(grid, prefix=1):
    layer = PositionEmbedding(grid, prefix=prefix)
    layer.build((None, prefix + grid[0] * grid[1], 2))
    return layer


def ramp(rows, columns):
    """An array (rows * columns, 2) of how far down and how far right each place is, from 0 to 1."""
    down, right = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    return np.stack(np.meshgrid(down, right, indexing="ij"), axis=-1).reshape(-1, 2).astype("float32")


@pytest.mark.parametrize("grid", [(4, 4), (8, 8), (3, 9)])
def test_resizing_to_another_grid(grid):
    """Places keep their share of the image in every grid; the token before them is unchanged."""
    token = np.array([[5.0, -5.0]], "float32")
    layer = built(grid)
    resized = layer.resize_weight(np.concatenate([token, ramp(6, 6)]))
    assert resized.shape == tuple(layer.embedding.shape)
    assert resized.dtype == "float32"
    np.testing.assert_array_equal(resized[:1], token)
    # The outermost places lie outside the old ones, where the ramp does not continue.
    inner = (ramp(*grid) > 0.2).all(axis=-1) & (ramp(*grid) < 0.8).all(axis=-1)
    assert inner.any()
    np.testing.assert_allclose(resized[1:][inner], ramp(*grid)[inner], atol=0.04)
    layer.embedding.assign(resized)


def test_resizing_to_the_same_grid_changes_nothing():
    places = RANDOM.normal(size=(37, 2)).astype("float32")
    np.testing.assert_allclose(built((6, 6)).resize_weight(places), places, atol=1e-5)


@pytest.mark.parametrize("shape", [(37,), (36, 2), (1, 2), (37, 3)])
def test_refuses_to_resize_other_shapes(shape):
    with pytest.raises(ValueError, match=r"Received: \(\d+,"):
        built((4, 4)).resize_weight(np.zeros(shape))


def test_refuses_another_number_of_tokens():
    with pytest.raises(ValueError, match=r"takes 7 tokens. Received: 6"):
        PositionEmbedding((2, 3), prefix=1).build((None, 6, 4))


def test_resizing_is_antialiased():
    """The result for an image of single bright pixels does not depend on the pixels that a smaller grid samples."""
    dots = np.zeros((8, 8, 1), "float32")
    dots[::4, ::4] = 1.0
    assert resize_grid(dots, (2, 2), "bilinear").min() > 0.01
