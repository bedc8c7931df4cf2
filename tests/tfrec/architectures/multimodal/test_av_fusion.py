"""Fusion of a picture and a clip: padding, one input alone, the gate, and modality dropout."""

import keras
import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import batch, build, perturb
from tfrec import architectures
from tfrec.architectures.image import mlp
from tfrec.architectures.layers.modality_dropout import ModalityDropout

FUSIONS = ("early", "late", "cross_attention")


@pytest.fixture(scope="module", params=FUSIONS)
def net(request):
    return perturb(build("av_fusion", "pair", 5, fusion=request.param, units=8, heads=2, dropout=0.0))


def gate(net, inputs):
    return np.asarray(keras.Model(net.input, net.get_layer("gate").output)(inputs))


def drop(net, inputs, name):
    """The logits where the layer of modality dropout loses one input of each example."""
    layer = net.get_layer("given")
    call = layer.call

    def losing(features, training=None):
        kept = {each: value for each, value in features.items() if (each == "image") != (name == "image")}
        return {**features, **call(kept)}

    layer.call = losing
    try:
        return np.asarray(net(inputs))
    finally:
        layer.call = call


def test_padding_never_changes_the_logits(net):
    inputs, short = batch("pair"), {}
    for i, frames in enumerate(inputs["frames"]):
        one = {name: value[i : i + 1] for name, value in inputs.items()}
        short[i] = np.asarray(net({**one, "audio": one["audio"][:, :frames]}))
    garbage = inputs["audio"].copy()
    for i, frames in enumerate(inputs["frames"]):
        garbage[i, frames:] = np.nan
    together = np.asarray(net({**inputs, "audio": garbage}))
    np.testing.assert_allclose(together, np.concatenate(list(short.values())), atol=1e-5)


@pytest.mark.parametrize("name", ["image", "audio"])
def test_one_input_alone_is_the_same_as_with_the_other_dropped(net, name):
    alone, inputs = architectures.single_input(net, name), batch("pair")
    assert set(alone.input) == ({"image"} if name == "image" else {"audio", "frames"})
    logits = np.asarray(alone({each: inputs[each] for each in alone.input}))
    np.testing.assert_allclose(logits, drop(net, inputs, "audio" if name == "image" else "image"), atol=1e-6)
    assert np.abs(logits - np.asarray(net(inputs))).max() > 1e-4
    assert {id(weight) for weight in alone.weights} <= {id(weight) for weight in net.weights}


def test_the_gate_is_the_trust_in_what_is_given(net):
    inputs = batch("pair")
    both = gate(net, inputs)
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-6)
    assert ((both > 0) & (both < 1)).all()
    scores = np.random.default_rng(0).normal(size=(2, 2)).astype("float32")
    masked = net.get_layer("gate")(scores, mask=np.array([[True, False], [False, True]]))
    np.testing.assert_array_equal(masked, [[1, 0], [0, 1]])


def test_saved_networks_answer_with_one_input(net, tmp_path):
    net.save(tmp_path / "net.keras")
    loaded, inputs = keras.saving.load_model(tmp_path / "net.keras"), batch("pair")
    np.testing.assert_allclose(loaded(inputs), net(inputs), atol=1e-6)
    for name in ("image", "audio"):
        parts = [architectures.single_input(each, name) for each in (loaded, net)]
        own = {each: inputs[each] for each in parts[0].input}
        np.testing.assert_allclose(parts[0](own), parts[1](own), atol=1e-6)


def test_pictures_of_features():
    """Without frames: the clip has a fixed length."""
    network = architectures.build(
        "av_fusion", {"image": (16, 16, 1), "audio": (20, 20, 1)}, 3, fusion="cross_attention", units=8
    )
    assert set(network.input) == {"image", "audio"}
    ones = {"image": np.ones((2, 16, 16, 1)), "audio": np.ones((2, 20, 20, 1))}
    assert network(ones).shape == (2, 3)
    assert architectures.single_input(network, "audio")({"audio": ones["audio"]}).shape == (2, 3)


def test_modality_dropout():
    layer = ModalityDropout(0.5, seed=0)
    ones = {name: np.ones((4000, 3), "float32") for name in ("image", "audio")}
    kept = layer(ones)
    assert np.asarray(kept["given"]).all()
    np.testing.assert_array_equal(kept["image"], ones["image"])
    dropped = layer(ones, training=True)
    given = np.asarray(dropped["given"])
    np.testing.assert_allclose(1 - given.mean(axis=0), [0.25, 0.25], atol=0.03)
    assert given.any(axis=1).all()
    for i, name in enumerate(("image", "audio")):
        np.testing.assert_array_equal(dropped[name], np.repeat(given[:, i : i + 1], 3, axis=1).astype("float32"))
    alone = layer({"audio": ones["audio"]}, training=True)
    np.testing.assert_array_equal(alone["image"], 0 * ones["image"])
    np.testing.assert_array_equal(alone["audio"], ones["audio"])
    assert not np.asarray(alone["given"])[:, 0].any()
    assert ModalityDropout.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match=r"from 0 to 1\. Received: 2"):
        ModalityDropout(2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "multiple of twice model.heads"),
        ({"units": 0}, "must be positive"),
        ({"modality_dropout": 1.5}, r"model\.modality_dropout must be from 0 to 1\. Received: 1\.5"),
        ({"image": mlp.Config(name="mlp")}, "mlp does not end in a pooling over cells or frames.*such as cnn"),
    ],
)
def test_refuses(changes, message):
    shapes = {"image": (16, 16, 1), "audio": (None, 20)}
    with pytest.raises((UserError, ValueError), match=message):
        architectures.build("av_fusion", shapes, 3, **{"fusion": "cross_attention", **changes})
