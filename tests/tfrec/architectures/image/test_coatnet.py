"""CoAtNet: the paper's size and cost, and relative positions against a loop."""

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.image import coatnet
from tfrec.evaluation.metrics.cost import count_multiply_adds, count_parameters

TINY = coatnet.Config(width_multiplier=0.1, depth_multiplier=0.01)


def test_size_and_cost_of_the_paper():
    """Table 9, "Strided DConv": 25 million weights and 4.6 billion multiply-adds at 224 pixels."""
    net = coatnet.build((224, 224, 3), 1000, coatnet.Config())
    assert count_parameters(net) == pytest.approx(25e6, rel=0.01)
    assert count_multiply_adds(net) == pytest.approx(4.6e9, rel=0.015)


def relative(grid, heads=2):
    layer = coatnet.RelativePosition(grid, heads)
    layer.build((None, grid[0] * grid[1], 6))
    return layer


@pytest.mark.parametrize("grid", [(3, 4), (1, 5), (1, 1)])
def test_relative_positions(grid):
    layer = relative(grid)
    (table,) = reference.randomize(layer)
    places = [(i, j) for i in range(grid[0]) for j in range(grid[1])]
    bias = np.asarray(layer(np.zeros((5, len(places), 6), "float32")))
    assert bias.shape == layer.compute_output_shape((5, len(places), 6))
    for query, (i, j) in enumerate(places):
        for key, (k, m) in enumerate(places):
            expected = table[:, i - k + grid[0] - 1, j - m + grid[1] - 1]
            np.testing.assert_allclose(bias[:, query, key], expected, atol=1e-6)


def test_relative_positions_of_another_grid():
    """A distance keeps its share of the image in every grid, and a distance of zero is the center."""
    steps = np.linspace(-1, 1, 7, dtype="float32")
    table = np.stack([np.repeat(steps[:, None], 7, axis=1), np.repeat(steps[None], 7, axis=0)])
    layer = relative((7, 5))
    resized = layer.resize_weight(table)
    assert resized.shape == tuple(layer.table.shape) == (2, 13, 9)
    np.testing.assert_allclose(resized[0, 2:-2, 4], np.linspace(-1, 1, 13)[2:-2], atol=0.1)
    np.testing.assert_allclose(resized[:, 6, 4], 0.0, atol=1e-6)
    np.testing.assert_allclose(relative((4, 4)).resize_weight(table), table, atol=1e-6)
    with pytest.raises(ValueError, match=r"must be \(2, rows, columns\). Received: \(3, 7, 7\)"):
        layer.resize_weight(np.zeros((3, 7, 7)))


def test_attention_sees_relative_positions():
    """Each block has its own table, and the logits depend on it."""
    net = coatnet.build((64, 96, 3), 4, coatnet.Config(width_multiplier=0.1, depth_multiplier=0.4, stem="large"))
    layers = [layer for layer in net.layers if isinstance(layer, coatnet.RelativePosition)]
    assert [layer.name for layer in layers] == ["stage3_0_position", "stage3_1_position", "stage4_0_position"]
    assert [layer.grid for layer in layers] == [(4, 6), (4, 6), (2, 3)]
    images = np.random.default_rng(0).normal(size=(2, 64, 96, 3)).astype("float32")
    before = np.asarray(net(images))
    for layer in layers:
        layer.table.assign(3 * np.random.default_rng(1).normal(size=layer.table.shape))
        after = np.asarray(net(images))
        assert np.abs(after - before).max() > 1e-6
        before = after


def test_any_size():
    for shape in ((33, 47, 1), (5, 5, 3), (1, 1, 3)):
        assert coatnet.build(shape, 4, TINY)(np.zeros((1, *shape), "float32")).shape == (1, 4)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"takes 12 tokens. Received: 13"):
        coatnet.RelativePosition((3, 4), 2).build((None, 13, 6))
    with pytest.raises(ValueError, match=r"Received: \(32, 32\)"):
        coatnet.build((32, 32), 10, TINY)


def test_configs_round_trip():
    layer = coatnet.RelativePosition((3, 4), 2)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (copy.grid, copy.heads) == ((3, 4), 2)
