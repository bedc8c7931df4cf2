"""Weights of keras.applications, downloaded by Keras: here a test writes what the download delivers."""

import dataclasses
import re
import socket
import sys
import types

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from pipelines.errors import UserError
from pipelines.layers import ImageNormalize
from tests.tfrec.architectures.keras_applications import randomize
from tfrec import architectures
from tfrec.pretrained import imagenet, transfer

SMALLEST = "mobilenet_v3_small"
NAMES = [
    pytest.param(name, marks=[] if name == SMALLEST else [pytest.mark.slow])
    for name in architectures.ARCHITECTURES
    if architectures.find(name).imagenet
]


def dense(inputs, units, name):
    x = keras.Input((inputs,))
    y = keras.layers.Dense(units, name=f"{name}_1")(keras.layers.Normalization(axis=-1)(x))
    return keras.Model(x, keras.layers.BatchNormalization(name=f"{name}_2")(y), name=name)


def test_transfer_pairs_by_order():
    one, other = dense(3, 4, "one"), dense(3, 4, "other")
    assert [layer.name for layer in transfer.in_order(one)] == ["one_1", "one_2"]
    x = np.random.default_rng(0).normal(size=(5, 3))
    randomize(one, np.random.default_rng(1), x)
    transfer.transfer(one, other)
    np.testing.assert_array_equal(other(x), one(x))


def test_transfer_names_the_first_misfit_and_copies_nothing():
    one = dense(3, 4, "one")
    longer = keras.Sequential([*dense(3, 4, "other").layers, keras.layers.Dense(2, name="last")], name="longer")
    longer.build((None, 3))
    kind = keras.Sequential(
        [keras.Input((3,)), keras.layers.EinsumDense("bi,io->bo", 4, bias_axes="o", name="product")], name="kind"
    )
    for source, said in (
        (dense(3, 5, "wide"), "Dense 'wide_1' [(3, 5), (5,)] of wide for Dense 'one_1' [(3, 4), (4,)] of one"),
        (longer, "Dense 'last' [(4, 2), (2,)] of longer for no layer of one"),
        (kind, "EinsumDense 'product' [(3, 4), (4,)] of kind for Dense 'one_1' [(3, 4), (4,)] of one"),
    ):
        before = one.get_weights()
        with pytest.raises(ValueError, match=re.escape(said)):
            transfer.transfer(source, one)
        for old, new in zip(before, one.get_weights(), strict=True):
            np.testing.assert_array_equal(new, old)


def settings(name, height=96, channels=3, **changes):
    model = dataclasses.replace(architectures.default_config(name), weights="imagenet", **changes)
    sizes = {"height": height, "width": height, "channels": channels}
    frontend = types.SimpleNamespace(name="image", normalize="per_image", **sizes)
    return types.SimpleNamespace(model=model, frontend=frontend)


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """A function that says what Keras's downloads deliver from now on, and gives a list that they will fill.

    It takes the images that the networks are to be fit for.
    """

    def from_now_on(images):
        made, load_weights = [], keras.Model.load_weights

        def load(self, path):
            assert path.startswith("https://storage.googleapis.com/")
            for layer in self.layers:
                if isinstance(layer, keras.layers.Normalization):  # the file holds deviations in place of variances
                    layer.set_weights([np.array(x) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 0)])
                    layer.finalize_state()
            randomize(self, np.random.default_rng(1), images)
            self.save_weights(tmp_path / "published.weights.h5")
            load_weights(self, tmp_path / "published.weights.h5")
            made.append(self)

        monkeypatch.setattr(file_utils, "get_file", lambda name, origin, **_: origin)
        monkeypatch.setattr(keras.Model, "load_weights", load)
        return made

    return from_now_on


def loaded(name, classes, downloads, height):
    """Our network's features or probabilities from raw pixels, Keras's, and the notes."""
    config = settings(name, height, stem="large")
    package = sys.modules[getattr(keras.applications, imagenet.find(config.model)[0]).__module__]
    pixels = np.random.default_rng(0).uniform(0, 255, (4, height, height, 3)).astype("float32")
    images = package.preprocess_input(pixels.copy())
    made = downloads(images)
    source = transfer.find(config)
    net = architectures.build_network(config.model, (height, height, 3), classes, "image")
    notes = transfer.load(source, net, config, [f"class {i}" for i in range(classes)])
    (twin,) = made
    features = ImageNormalize(source.normalize)(pixels)
    if classes == 1000:
        return keras.ops.softmax(net(features)), twin(images), notes
    return architectures.feature_extractor(net)(features), keras.ops.mean(twin(images), axis=(1, 2)), notes


def assert_alike(ours, theirs):
    theirs = np.array(theirs)
    spread = theirs.std(axis=0).mean()
    assert spread > 0
    np.testing.assert_allclose(np.array(ours), theirs, rtol=1e-4, atol=1e-3 * spread)


@pytest.mark.parametrize("name", NAMES)
def test_published_weights_see_what_keras_sees(name, downloads):
    """From raw pixels on, so that the normalization is the one that the weights want."""
    ours, theirs, notes = loaded(name, 3, downloads, 96)
    assert_alike(ours, theirs)
    assert "at random: " in notes[0]
    assert notes[0].endswith("is missing there.")
    assert re.fullmatch(r"imagenet was trained with frontend.normalize \w+; now it is per_image.", notes[-1])


@pytest.mark.slow
def test_a_thousand_classes_are_taken_for_those_of_imagenet(downloads):
    ours, theirs, notes = loaded(SMALLEST, 1000, downloads, 224)
    assert_alike(ours, theirs)
    assert re.fullmatch(r"Weights of imagenet: all \d+ layers.", notes[0])


@pytest.mark.slow
def test_gray_pictures(downloads):
    downloads(np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32"))
    config = settings(SMALLEST, 64, 1, stem="large")
    net = architectures.build_network(config.model, (64, 64, 1), 3, "image")
    notes = transfer.load(transfer.find(config), net, config, list("abc"))
    assert "averaged over its 3 input channels and scaled for 1" in notes[1]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("cnn", {}, "model.weights imagenet does not exist for model.name 'cnn': choose 'efficientnet_b0'"),
        (SMALLEST, {"width_multiplier": 0.5}, "model.width_multiplier 1.0, not 0.5: set --model.width_multiplier 1.0"),
        (SMALLEST, {"depth_multiplier": 2.0}, "model.depth_multiplier 1.0, not 2.0: set --model.depth_multiplier 1.0"),
        (SMALLEST, {"stem": "small"}, "this network has the small one: set --model.stem large."),
        (SMALLEST, {}, "this network has the small one: set --model.stem large."),
    ],
)
def test_networks_without_published_weights(name, changes, said, downloads):
    made = downloads(None)
    config = settings(name, 32, **changes)
    with pytest.raises(UserError, match=re.escape(said)):
        transfer.load(
            transfer.find(config), architectures.build_network(config.model, (32, 32, 3), 3, "image"), config, "abc"
        )
    assert not made


@pytest.mark.slow
def test_a_network_that_was_changed(downloads):
    downloads(np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32"))
    config = settings("vgg16", 96, stem="large", batch_norm=True)
    net = architectures.build_network(config.model, (96, 96, 3), 3, "image")
    said = "'stage1_0_conv' holds another number of arrays there, 2, than here, 1; set --model.no_batch_norm, or leave"
    with pytest.raises(UserError, match=re.escape(said)):
        transfer.load(transfer.find(config), net, config, list("abc"))


def test_no_network(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    config = settings(SMALLEST, stem="large")
    net = architectures.build_network(config.model, (96, 96, 3), 3, "image")
    before = net.get_weights()
    with pytest.raises(UserError, match=r"of MobileNetV3Small cannot be loaded .*: connect to the network") as refusal:
        transfer.load(transfer.find(config), net, config, list("abc"))
    assert "\n" not in str(refusal.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
