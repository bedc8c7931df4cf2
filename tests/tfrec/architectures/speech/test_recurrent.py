"""Recurrent networks: which frames a state knows of, which of them answer, and what a server can run."""

import dataclasses

import keras
import numpy as np
import pytest

from tfrec.architectures import base
from tfrec.architectures.speech import recurrent
from tfrec.serving import savedmodel

SMALL = {"units": 6, "depth": 2}


def clips(*counts, bins=5):
    """Features of those true frames, with other numbers past them."""
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


@pytest.mark.parametrize("cell", recurrent.CELLS)
def test_cells_by_their_equations(cell):
    """One layer, step by step, in the words of the papers (Keras's order of the gates)."""
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
    """Half of the units know the frames before, the others those after; neither knows what lies past the end."""
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
        for own, found, frames in zip(states, embedding, inputs["frames"], strict=True):
            expected = own[:frames].mean(axis=0)
            if pool == "last":
                expected = np.concatenate([own[frames - 1, :6], own[0, 6:]])
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_final_state_of_anything():
    """What lies past the end is not looked at; a clip without frames has no state."""
    states = np.arange(24, dtype="float32").reshape(2, 3, 4)
    states[0, 2] = np.nan
    keep = np.array([[True, True, False], [False] * 3])
    np.testing.assert_array_equal(base.FinalState()(states, keep), [states[0, 1], np.zeros(4)])
    layer = base.FinalState.from_config(base.FinalState(bidirectional=True).get_config())
    np.testing.assert_array_equal(layer(states[:1], keep[:1]), [[*states[0, 1, :2], *states[0, 0, 2:]]])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_exports_run_without_cudnn(cell, bidirectional):
    """Built where there is a GPU, the kernels are CuDNN's unless each layer is told, however deep inside another."""
    net = build(cell=cell, bidirectional=bidirectional)
    copy = savedmodel.without_cudnn(net)
    parts = [part for part in copy._flatten_layers() if hasattr(part, "use_cudnn")]
    assert len(parts) == (4 if bidirectional else 2)
    assert {part.use_cudnn for part in parts} == {False}
    np.testing.assert_allclose(copy(clips(5)), net(clips(5)), atol=1e-6)


def test_refuses_sizes_that_make_no_network():
    for field in ("units", "depth"):
        with pytest.raises(ValueError, match=f"must be positive. Received: .*{field}=0"):
            recurrent.build((None, 5), 3, dataclasses.replace(recurrent.GRU, **{field: 0}))
