"""Recurrent networks: the frames a state depends on, pooling, and exports for CPU servers."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.small_networks import sublayers
from tfrec.architectures.layers.recurrent import CELLS
from tfrec.architectures.speech import recurrent
from tfrec.serving import savedmodel

SMALL = {"units": 6, "depth": 2}


def clips(*counts, bins=5):
    """Features with these numbers of true frames, and other values past them."""
    features = np.random.default_rng(0).normal(size=(len(counts), max(counts) + 2, bins)).astype("float32")
    return {"features": features, "frames": np.array(counts, "int32")}


def build(**changes):
    keras.utils.set_random_seed(1)
    return recurrent.build((None, 5), 3, recurrent.Config(**{**SMALL, **changes}))


def output(net, name, inputs):
    return np.array(keras.Model(net.input, net.get_layer(name).output)(inputs))


def test_layers_keep_the_names_of_stored_weights():
    named = ["lstm0", "dropout0", "lstm1", "dropout1", "logits"]
    assert [layer.name for layer in build().layers if layer.name in named] == named


@pytest.mark.parametrize("cell", CELLS)
def test_cells_by_their_equations(cell):
    """One layer, step by step, by the equations of the papers (Keras's order of the gates)."""
    net = build(cell=cell, depth=1)
    inputs = clips(4)
    kernel, recurrent_kernel, bias = net.get_layer(f"{cell}0").get_weights()

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def step(x, h, c):
        if cell == "gru":
            z, r, new = np.split(x @ kernel + bias[0], 3)
            z_h, r_h, new_h = np.split(h @ recurrent_kernel + bias[1], 3)
            z, r = sigmoid(z + z_h), sigmoid(r + r_h)
            return z * h + (1 - z) * np.tanh(new + r * new_h), c
        total = x @ kernel + h @ recurrent_kernel + bias
        if cell == "rnn":
            return np.tanh(total), c
        i, f, new, o = np.split(total, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        return sigmoid(o) * np.tanh(c), c

    h = c = np.zeros(6)
    for x in inputs["features"][0, :4]:
        h, c = step(x, h, c)
    np.testing.assert_allclose(output(net, "embedding", inputs)[0], h, atol=1e-6)


def test_both_directions_read_the_whole_clip():
    """Half of the units depend on earlier frames, the others on later ones; none on frames past the end."""
    net = build(bidirectional=True)
    inputs = clips(7)
    before = output(net, "lstm0", inputs)
    inputs["features"] = inputs["features"].copy()
    inputs["features"][:, 3] += 1
    after = output(net, "lstm0", inputs)
    changed = np.abs(after - before)[0].reshape(-1, 2, 6).max(axis=2) > 1e-4  # frames, directions
    assert changed[:7, 0].tolist() == [False] * 3 + [True] * 4
    assert changed[:7, 1].tolist() == [True] * 4 + [False] * 3
    single = {"features": inputs["features"][:, 6:7], "frames": np.array([1])}
    np.testing.assert_allclose(output(net, "lstm0", single)[0, 0, 6:], after[0, 6, 6:], atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_pooling(bidirectional):
    inputs, units = clips(3, 1, 6), 12 if bidirectional else 6
    for pool in ("last", "mean"):
        net = build(pool=pool, bidirectional=bidirectional)
        states, embedding = (output(net, name, inputs) for name in ("lstm1", "embedding"))
        assert embedding.shape == (3, units)
        for own, pooled, frames in zip(states, embedding, inputs["frames"], strict=True):
            expected = own[:frames].mean(axis=0)
            if pool == "last":
                expected = np.concatenate([own[frames - 1, :6], own[0, 6:]])
            np.testing.assert_allclose(pooled, expected, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_exports_run_without_cudnn(cell, bidirectional):
    """Built with a GPU, the kernels are cuDNN's unless every layer, nested ones too, disables it."""
    net = build(cell=cell, bidirectional=bidirectional)
    copy = savedmodel.without_cudnn(net)
    wrapped = [part for layer in copy.layers for part in (sublayers(layer) if bidirectional else [layer])]
    parts = [part for part in wrapped if hasattr(part, "use_cudnn")]
    assert len(parts) == (4 if bidirectional else 2)
    assert {part.use_cudnn for part in parts} == {False}
    np.testing.assert_allclose(copy(clips(5)), net(clips(5)), atol=1e-6)


def test_refuses_sizes_that_are_not_positive():
    for field in ("units", "depth"):
        with pytest.raises(ValueError, match=f"must be positive. Received: .*{field}=0"):
            recurrent.build((None, 5), 3, dataclasses.replace(recurrent.GRU, **{field: 0}))
