"""Weights of keras.applications; the download is replaced by a file that the test writes."""

import dataclasses
import re
import socket
import sys
import types

import keras
import numpy as np
import pytest

from pipelines.errors import UserError
from pipelines.layers import ImageNormalize
from tests.tfrec.architectures.keras_applications import randomize
from tfrec import architectures
from tfrec.pretrained import imagenet, pretrained_weights, transfer

file_utils = sys.modules[keras.utils.get_file.__module__]  # as keras.applications uses it
SMALLEST = "mobilenet_v3_small"
NAMES = [
    pytest.param(name, marks=[] if name == SMALLEST else [pytest.mark.slow])
    for name, (module, _) in architectures.ARCHITECTURES.items()
    if name in getattr(module, "IMAGENET", {})
]


def settings(name, height=96, channels=3, **changes):
    model = dataclasses.replace(architectures.default_config(name), weights="imagenet", **changes)
    sizes = {"height": height, "width": height, "channels": channels}
    frontend = types.SimpleNamespace(name="image", normalize="per_image", **sizes)
    return types.SimpleNamespace(model=model, frontend=frontend)


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """A function from images to a list that fills with the networks of keras.applications that load weights.

    Their weights are random, in a range that fits the images.
    """

    def replace(images):
        networks, load_weights = [], keras.Model.load_weights

        def load(self, path):
            assert path.startswith("https://storage.googleapis.com/")
            for layer in self.layers:
                if isinstance(layer, keras.layers.Normalization):  # the file holds deviations in place of variances
                    layer.set_weights([np.array(x) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 0)])
                    layer.finalize_state()
            randomize(self, np.random.default_rng(1), images)
            self.save_weights(tmp_path / "published.weights.h5")
            load_weights(self, tmp_path / "published.weights.h5")
            networks.append(self)

        monkeypatch.setattr(file_utils, "get_file", lambda name, origin, **_: origin)
        monkeypatch.setattr(keras.Model, "load_weights", load)
        return networks

    return replace


def loaded(name, classes, downloads, height):
    """Our network's features or probabilities from raw pixels, Keras's, and the notes."""
    config = settings(name, height, stem="large")
    package = sys.modules[getattr(keras.applications, imagenet.find(config.model)[0]).__module__]
    pixels = np.random.default_rng(0).uniform(0, 255, (4, height, height, 3)).astype("float32")
    images = package.preprocess_input(pixels.copy())
    networks = downloads(images)
    source = pretrained_weights.find(config)
    net = architectures.build_network(config.model, (height, height, 3), classes, "image")
    notes = transfer.load(source, net, config, [f"class {i}" for i in range(classes)])
    (twin,) = networks
    features = ImageNormalize(source.normalize)(pixels)
    if classes == 1000:
        return keras.ops.softmax(net(features)), twin(images), notes
    return architectures.feature_extractor(net)(features), keras.ops.mean(twin(images), axis=(1, 2)), notes


def assert_equal_outputs(ours, theirs):
    theirs = np.array(theirs)
    spread = theirs.std(axis=0).mean()
    assert spread > 0
    np.testing.assert_allclose(np.array(ours), theirs, rtol=1e-4, atol=1e-3 * spread)


@pytest.mark.parametrize("name", NAMES)
def test_published_weights_give_the_features_of_keras(name, downloads):
    """From raw pixels, so that the normalization is tested, too."""
    ours, theirs, notes = loaded(name, 3, downloads, 96)
    assert_equal_outputs(ours, theirs)
    assert "randomly initialized: " in notes[0]
    assert notes[0].endswith("is missing in the weights.")
    assert re.fullmatch(r"imagenet was trained with frontend.normalize \w+; now it is per_image.", notes[-1])


@pytest.mark.slow
def test_a_head_of_a_thousand_classes_is_loaded(downloads):
    ours, theirs, notes = loaded(SMALLEST, 1000, downloads, 224)
    assert_equal_outputs(ours, theirs)
    assert re.fullmatch(r"Weights of imagenet: loaded all \d+ layers.", notes[0])


@pytest.mark.slow
def test_gray_images(downloads):
    downloads(np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32"))
    config = settings(SMALLEST, 64, 1, stem="large")
    net = architectures.build_network(config.model, (64, 64, 1), 3, "image")
    notes = transfer.load(pretrained_weights.find(config), net, config, list("abc"))
    assert "averaged over its 3 input channels and scaled for 1" in notes[1]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("cnn", {}, "model.weights imagenet does not exist for model.name 'cnn': choose 'efficientnet_b0'"),
        (SMALLEST, {"width_multiplier": 0.5}, "model.width_multiplier 1.0, not 0.5: set --model.width_multiplier 1.0"),
        (SMALLEST, {"depth_multiplier": 2.0}, "model.depth_multiplier 1.0, not 2.0: set --model.depth_multiplier 1.0"),
        (SMALLEST, {"stem": "small"}, "this network has the small one: set --model.stem large."),
        (SMALLEST, {}, "this network has the small one: set --model.stem large."),
    ],
)
def test_networks_without_published_weights(name, changes, message, downloads):
    networks = downloads(None)
    config = settings(name, 32, **changes)
    with pytest.raises(UserError, match=re.escape(message)):
        transfer.load(
            pretrained_weights.find(config),
            architectures.build_network(config.model, (32, 32, 3), 3, "image"),
            config,
            "abc",
        )
    assert not networks


@pytest.mark.slow
def test_a_network_of_another_structure(downloads):
    downloads(np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32"))
    config = settings("vgg16", 96, stem="large", batch_norm=True)
    net = architectures.build_network(config.model, (96, 96, 3), 3, "image")
    message = "'stage1_0_conv' holds 2 arrays in the weights and 1 in this network; set --model.no_batch_norm, or leave"
    with pytest.raises(UserError, match=re.escape(message)):
        transfer.load(pretrained_weights.find(config), net, config, list("abc"))


def test_no_internet_connection(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    config = settings(SMALLEST, stem="large")
    net = architectures.build_network(config.model, (96, 96, 3), 3, "image")
    before = net.get_weights()
    with pytest.raises(UserError, match=r"of MobileNetV3Small cannot be loaded .*: connect to the Internet") as refusal:
        transfer.load(pretrained_weights.find(config), net, config, list("abc"))
    assert "\n" not in str(refusal.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
