"""Networks, weights files and run folders that the tests of pretrained weights share."""

import dataclasses
import json
import types

import h5py
import numpy as np

from tests.tfrec.architectures.small_networks import small_config
from tfrec import architectures
from tfrec.pretrained import pretrained_weights, transfer

CLASSES = 5

LABELS = [f"class {i}" for i in range(CLASSES)]


def config(name="cnn", kind="image", shape=(8, 8, 3), frontend=None, **model):
    """As much of a Config as weights ask for."""
    values = {"name": kind, "normalize": "per_image", "height": shape[0], "width": shape[1], "channels": shape[2]}
    small = {"width": 4, "depth": 2, "convolutions": 1} if name == "cnn" else {}
    model = dataclasses.replace(small_config(name), **{**small, **model})
    return types.SimpleNamespace(model=model, frontend=types.SimpleNamespace(**{**values, **(frontend or {})}))


def random_net(config, kind="image", shape=(8, 8, 3), classes=CLASSES):
    net = architectures.build_network(config.model, shape, classes, kind)
    random = np.random.default_rng(0)
    for weight in net.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape) / np.sqrt(np.prod(weight.shape[:-1])))
    return net


def values(net):
    return {f"{layer.name}/{i}": value for layer in net.layers for i, value in enumerate(layer.get_weights())}


def load(net, target, tmp_path, config, change=None, class_names=LABELS):
    """The notes of loading `net`'s weights, by way of a file, into `target`."""
    path = tmp_path / "some.weights.h5"
    net.save_weights(path)
    if change:
        with h5py.File(path, "a") as file:
            change(file)
    config.model = dataclasses.replace(config.model, weights=str(path))
    return transfer.load(pretrained_weights.find(config), target, config, class_names)


def run_folder(path, net, labels=LABELS, **parts):
    """A run as far as weights ask for one; `parts` are of its config.json."""
    path.mkdir()
    net.save_weights(path / "best.weights.h5")
    sizes = dict(zip(("height", "width", "channels"), net.input_shape[1:], strict=True))
    parts["frontend"] = {"name": "image", "normalize": "unit", **sizes, **parts.get("frontend", {})}
    (path / "config.json").write_text(json.dumps({"data": {"name": "digits"}, **parts}))
    (path / "labels.json").write_text(json.dumps(labels))
    return str(path)


CNN = {"name": "cnn", "width": 4, "depth": 2, "convolutions": 1}
LIGHT = {"width_multiplier": 0.25, "depth_multiplier": 0.01}
SQUEEZENET = {"name": "squeezenet", **LIGHT}
