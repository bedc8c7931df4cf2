"""Weights from elsewhere: what fits is taken, what does not is adapted and said, or refused."""

import dataclasses
import json
import re
import types

import h5py
import numpy as np
import pytest

from pipelines import frontends
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import SHAPES, cases, small_config
from tfrec import architectures
from tfrec.pretrained import transfer

CLASSES = 5
NESTED = ("cnn", "lstm", "vit_tiny")  # layers by themselves, of Keras inside one another, of ours inside one another
EACH = [
    pytest.param(*case.values, marks=[] if case.values[0] in NESTED else [pytest.mark.slow]) for case in cases("vector")
]  # a second or two each
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
    return transfer.load(transfer.find(config), target, config, class_names)


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_a_file_gives_every_weight_back(name, kind, tmp_path):
    settings = types.SimpleNamespace(
        model=small_config(name), frontend=types.SimpleNamespace(name=kind, normalize="unit")
    )
    net = random_net(settings, kind, SHAPES[kind])
    target = architectures.build_network(small_config(name), SHAPES[kind], CLASSES, kind)
    notes = load(net, target, tmp_path, settings)
    for key, value in values(net).items():
        np.testing.assert_array_equal(values(target)[key], value, err_msg=key)
    assert re.fullmatch(r"Weights of .*some.weights.h5: all \d+ layers.", notes[0])
    assert notes[1:] == [
        f"Nothing says which features of this kind {settings.model.weights} knows; frontend.normalize is unit."
    ]


def test_a_head_of_other_classes_stays_at_random(tmp_path):
    net, target = random_net(config()), architectures.build_network(config().model, (8, 8, 3), 7, "image")
    before = values(target)
    notes = load(net, target, tmp_path, config())
    assert notes[0].endswith(
        "4 of 5 layers; at random: 'logits', as Dense 'logits' has the shape (8, 5) there and (8, 7) here."
    )
    for key, value in values(target).items():
        np.testing.assert_array_equal(value, before[key] if key.startswith("logits") else values(net)[key])


def test_a_head_is_taken_as_far_as_it_fits(tmp_path):
    """What comes after a layer at random has nothing to say, even where it fits."""
    changes = {"stem": "large", "fc_units": 6}
    large = config("alexnet", shape=(96, 96, 3), **changes)
    net = random_net(large, shape=(96, 96, 3))
    same = architectures.build_network(large.model, (96, 96, 3), 7, "image")
    assert "'logits', as" in load(net, same, tmp_path, large)[0]
    np.testing.assert_array_equal(values(same)["fc2/0"], values(net)["fc2/0"])
    small = config("alexnet", shape=(67, 67, 3), **changes)
    other = architectures.build_network(small.model, (67, 67, 3), CLASSES, "image")
    notes = load(net, other, tmp_path, small)
    assert "at random: 'fc1', 'fc2', 'logits', as Dense 'fc1' has the shape" in notes[0]
    assert (values(other)["logits/0"] != values(net)["logits/0"]).any()


@pytest.mark.parametrize(("there", "here"), [(3, 1), (1, 3), (3, 4)])
def test_another_number_of_channels_answers_gray_pictures_alike(tmp_path, there, here):
    net = random_net(config(), shape=(8, 8, there))
    target = architectures.build_network(config().model, (8, 8, here), CLASSES, "image")
    notes = load(net, target, tmp_path, config())
    assert f"averaged over its {there} input channels and scaled for {here}" in notes[1]
    gray = np.random.default_rng(1).normal(size=(4, 8, 8, 1)).astype("float32")
    expected = np.array(net(np.repeat(gray, there, axis=-1)))
    assert expected.std() > 0.01
    np.testing.assert_allclose(target(np.repeat(gray, here, axis=-1)), expected, atol=1e-5)


def test_positions_of_another_size_are_resized(tmp_path):
    net = random_net(config("vit_tiny", depth_multiplier=0.01), shape=(32, 32, 3))
    target = architectures.build_network(small_config("vit_tiny"), (48, 32, 3), CLASSES, "image")
    notes = load(net, target, tmp_path, config("vit_tiny"))
    positions = [layer for layer in target.layers if hasattr(layer, "resize_weight")]
    assert len(positions) == 1
    assert notes[1].startswith(f"'{positions[0].name}' was resized from (65, ")
    (value,) = positions[0].get_weights()
    np.testing.assert_array_equal(value, positions[0].resize_weight(net.get_layer(positions[0].name).get_weights()[0]))


def rename(file):
    file["layers/conv2d_1/vars"].attrs["name"] = "block7_0_conv"


def no_layer(file):
    del file["layers/conv2d_1"]


def no_bias(file):
    del file["layers/dense/vars/1"]


def not_a_number(file):
    file["layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan


def foreign_part(file):
    file["layers/conv2d/cell/vars/0"] = np.zeros(3, "float32")


def of_a_property(file):
    file["layers/conv2d/output/vars/0"] = np.zeros(3, "float32")


def longer(file):
    file["layers/conv2d_9/vars/0"] = np.zeros((2, 2), "float32")
    file["layers/conv2d_9/vars"].attrs["name"] = "block2_0_conv"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename, "'block7_0_conv' is a layer there and not here"),
        (longer, "'block2_0_conv' is a layer there and not here"),
        (no_layer, "Conv2D 'block1_0_conv' is missing there"),
        (not_a_number, "Conv2D 'block0_0_conv' holds values there that are not finite"),
        (foreign_part, "Conv2D 'block0_0_conv' holds a part 'cell' there and none here"),
        (of_a_property, "Conv2D 'block0_0_conv' holds a part 'output' there and none here"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changed(tmp_path, change, said):
    target = architectures.build_network(config().model, (8, 8, 3), CLASSES, "image")
    before = values(target)
    with pytest.raises(UserError, match=r"does not fit: .*, or leave --model.weights out.$") as refusal:
        load(random_net(config()), target, tmp_path, config(), change)
    assert said in str(refusal.value)
    for key, value in values(target).items():
        np.testing.assert_array_equal(value, before[key])


def test_a_layer_inside_a_layer_must_be_there(tmp_path):
    settings = config("vit_tiny", shape=(32, 32, 3))
    net = random_net(settings, shape=(32, 32, 3))

    def incomplete(file):
        del file["layers/attention/combine"]

    with pytest.raises(UserError, match="Attention 'block0_attention' lacks some of its 4 arrays there; give"):
        load(net, net, tmp_path, settings, incomplete)


def test_another_width_is_refused(tmp_path):
    target = architectures.build_network(config(width=5).model, (8, 8, 3), CLASSES, "image")
    shapes = r"Conv2D 'block0_0_conv' has the shape \(3, 3, 3, 4\) there and \(3, 3, 3, 5\) here"
    with pytest.raises(UserError, match=f"{shapes}; give the network the settings that they were trained with"):
        load(random_net(config()), target, tmp_path, config())


def test_a_head_without_its_bias_is_said(tmp_path):
    target = architectures.build_network(config().model, (8, 8, 3), CLASSES, "image")
    notes = load(random_net(config()), target, tmp_path, config(), no_bias)
    assert "'logits', as Dense 'logits' holds another number of arrays there, 1, than here, 2" in notes[0]


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


def test_a_run_tells_classes_and_features(tmp_path):
    net = random_net(config())
    settings = config(weights=run_folder(tmp_path / "run", net, model=CNN))
    source = transfer.find(settings)
    assert source.normalize == "unit"
    target = architectures.build_network(settings.model, (8, 8, 3), CLASSES, "image")
    first, *others = transfer.load(source, target, settings, LABELS)
    assert first.endswith("all 5 layers.")
    assert others == [f"{source.name} was trained with frontend.normalize unit; now it is per_image."]
    settings.frontend.normalize = "unit"
    (first,) = transfer.load(source, target, settings, LABELS[::-1])
    assert first.endswith("4 of 5 layers; at random: 'logits', as the classes are others.")


def test_a_head_of_other_layers_stays_at_random(tmp_path):
    """The run has dense layers before its logits, the new network none; the logits' shapes agree all the same."""
    large = config("alexnet", shape=(67, 67, 3), stem="large", fc_units=256)
    net = random_net(large, shape=(67, 67, 3))
    model = {"name": "alexnet", "stem": "large", "fc_units": 256, **LIGHT}
    path = run_folder(tmp_path / "run", net, model=model)
    new = config("alexnet", shape=(67, 67, 3), stem="large", fc_units=0, weights=path)
    target = architectures.build_network(new.model, (67, 67, 3), CLASSES, "image")
    assert target.get_layer("logits").kernel.shape == net.get_layer("logits").kernel.shape
    before = values(target)
    notes = transfer.load(transfer.find(new), target, new, LABELS)
    assert "at random: 'logits', as the head there has 'fc1'." in notes[0]
    np.testing.assert_array_equal(values(target)["logits/0"], before["logits/0"])


def test_advice_names_what_a_run_has(tmp_path):
    net = random_net(config("mlp"), shape=(8, 8, 3))
    path = run_folder(tmp_path / "run", net, model={"name": "mlp"})
    settings = config("mlp", shape=(9, 9, 3), weights=path)
    target = architectures.build_network(settings.model, (9, 9, 3), CLASSES, "image")
    with pytest.raises(UserError, match=r"; set --frontend.height 8 --frontend.width 8, or leave"):
        transfer.load(transfer.find(settings), target, settings, LABELS)
    wide = dataclasses.replace(settings.model, width=8)
    settings = types.SimpleNamespace(model=wide, frontend=settings.frontend)
    target = architectures.build_network(wide, (9, 9, 3), CLASSES, "image")
    with pytest.raises(UserError, match=r"; set --model.width \d+, or leave"):
        transfer.load(transfer.find(settings), target, settings, LABELS)


def test_advice_names_the_stem_that_auto_stood_for(tmp_path):
    net = random_net(config("alexnet"), shape=(32, 32, 3))
    path = run_folder(tmp_path / "run", net, model={"name": "alexnet", **LIGHT})
    settings = config("alexnet", shape=(80, 80, 3), weights=path)
    target = architectures.build_network(settings.model, (80, 80, 3), CLASSES, "image")
    with pytest.raises(
        UserError, match=r"\(3, 3, 3, 24\) there and \(11, 11, 3, 24\) here; set --model.stem small, or"
    ):
        transfer.load(transfer.find(settings), target, settings, LABELS)


def test_another_stem_that_fits_is_said(tmp_path):
    path = run_folder(tmp_path / "run", random_net(config("squeezenet"), shape=(32, 32, 3)), model=SQUEEZENET)
    settings = config("squeezenet", shape=(80, 80, 3), weights=path)
    target = architectures.build_network(settings.model, (80, 80, 3), CLASSES, "image")
    notes = transfer.load(transfer.find(settings), target, settings, LABELS)
    assert f"{path} was trained with model.stem small; now it is large." in notes


def test_another_architecture_is_refused(tmp_path):
    path = run_folder(tmp_path / "run", random_net(config()), model=CNN)
    with pytest.raises(UserError, match=r"run holds a 'cnn', but this network is a 'mlp': set --model.name cnn"):
        transfer.find(config("mlp", weights=path))


def test_weights_of_pictures_meet_spectrograms_in_their_range(trained):
    run, recognizer = trained("digits")
    stored = recognizer.config
    model = dataclasses.replace(stored.model, weights=str(run.path))
    settings = dataclasses.replace(stored, model=model, frontend=frontends.SpeechConfig())
    source = transfer.find(settings)
    assert source.normalize == stored.frontend.normalize == "per_image"
    corpus = Corpus("words", "audio", ("yes", "no"), {}, 8000)
    frontend = frontends.resolve(frontends.SpeechConfig(form="picture"), corpus, source.normalize, ("image",))
    assert (frontend.picture_normalize, frontend.picture_channels) == ("per_image", 3)
    settings = dataclasses.replace(settings, frontend=frontend)
    net = architectures.build_network(model, frontends.build(frontend).feature_shape, 2, "image")
    notes = transfer.load(source, net, settings, ["yes", "no"])
    assert "at random: 'logits'" in notes[0]
    assert len(notes) == 2  # and the number of channels; nothing about settings that pictures do not have
    np.testing.assert_array_equal(
        net.get_layer("block1_0_conv").kernel, recognizer.net.get_layer("block1_0_conv").kernel
    )
