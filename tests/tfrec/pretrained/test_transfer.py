"""Loading pretrained weights: what fits is loaded, the rest is adapted and reported, or refused."""

import re
import types

import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import SHAPES, cases, small_config
from tests.tfrec.pretrained.helpers import LABELS, LIGHT, config, load, random_net, run_folder, values
from tfrec import architectures
from tfrec.pretrained import pretrained_weights, transfer

CLASSES = 5

NESTED = ("cnn", "lstm", "vit_tiny")  # flat layers, layers inside layers of Keras, layers inside our own layers
EACH = [
    pytest.param(*case.values, marks=[] if case.values[0] in NESTED else [pytest.mark.slow])
    for case in cases("vector", slow=())
]  # a second or two each


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_loading_a_weights_file_restores_every_weight(name, kind, tmp_path):
    settings = types.SimpleNamespace(
        model=small_config(name), frontend=types.SimpleNamespace(name=kind, normalize="unit")
    )
    net = random_net(settings, kind, SHAPES[kind])
    target = architectures.build_network(small_config(name), SHAPES[kind], CLASSES, kind)
    notes = load(net, target, tmp_path, settings)
    for key, value in values(net).items():
        np.testing.assert_array_equal(values(target)[key], value, err_msg=key)
    assert re.fullmatch(r"Weights of .*some.weights.h5: loaded all \d+ layers.", notes[0])
    assert notes[1:] == [
        f"The features that {settings.model.weights} was trained on are unknown; frontend.normalize is unit."
    ]


def test_the_head_stays_random_for_other_classes(tmp_path):
    net, target = random_net(config()), architectures.build_network(config().model, (8, 8, 3), 7, "image")
    before = values(target)
    notes = load(net, target, tmp_path, config())
    assert notes[0].endswith(
        "loaded 4 of 5 layers; randomly initialized: 'logits', because Dense 'logits' has shape (8, 5) in the weights"
        " and (8, 7) in this network."
    )
    for key, value in values(target).items():
        np.testing.assert_array_equal(value, before[key] if key.startswith("logits") else values(net)[key])


def test_the_head_is_loaded_up_to_the_first_layer_that_does_not_fit(tmp_path):
    """Layers after a random layer stay random, even where their shapes fit."""
    changes = {"stem": "large", "fc_units": 6}
    large = config("alexnet", shape=(96, 96, 3), **changes)
    net = random_net(large, shape=(96, 96, 3))
    same = architectures.build_network(large.model, (96, 96, 3), 7, "image")
    assert "randomly initialized: 'logits', because" in load(net, same, tmp_path, large)[0]
    np.testing.assert_array_equal(values(same)["fc2/0"], values(net)["fc2/0"])
    small = config("alexnet", shape=(67, 67, 3), **changes)
    other = architectures.build_network(small.model, (67, 67, 3), CLASSES, "image")
    notes = load(net, other, tmp_path, small)
    assert "randomly initialized: 'fc1', 'fc2', 'logits', because Dense 'fc1' has shape" in notes[0]
    assert (values(other)["logits/0"] != values(net)["logits/0"]).any()


@pytest.mark.parametrize(("stored", "wanted"), [(3, 1), (1, 3), (3, 4)])
def test_another_number_of_channels_keeps_the_output_for_gray_images(tmp_path, stored, wanted):
    net = random_net(config(), shape=(8, 8, stored))
    target = architectures.build_network(config().model, (8, 8, wanted), CLASSES, "image")
    notes = load(net, target, tmp_path, config())
    assert f"averaged over its {stored} input channels and scaled for {wanted}" in notes[1]
    gray = np.random.default_rng(1).normal(size=(4, 8, 8, 1)).astype("float32")
    expected = np.array(net(np.repeat(gray, stored, axis=-1)))
    assert expected.std() > 0.01
    np.testing.assert_allclose(target(np.repeat(gray, wanted, axis=-1)), expected, atol=1e-5)


def test_position_embeddings_of_another_size_are_resized(tmp_path):
    net = random_net(config("vit_tiny", depth_multiplier=0.01), shape=(32, 32, 3))
    target = architectures.build_network(small_config("vit_tiny"), (48, 32, 3), CLASSES, "image")
    notes = load(net, target, tmp_path, config("vit_tiny"))
    positions = [layer for layer in target.layers if hasattr(layer, "resize_weight")]
    assert len(positions) == 1
    assert notes[1].startswith(f"'{positions[0].name}' was resized from (65, ")
    (value,) = positions[0].get_weights()
    np.testing.assert_array_equal(value, positions[0].resize_weight(net.get_layer(positions[0].name).get_weights()[0]))


def renamed_layer(file):
    file["layers/conv2d_1/vars"].attrs["name"] = "block7_0_conv"


def missing_layer(file):
    del file["layers/conv2d_1"]


def missing_bias(file):
    del file["layers/dense/vars/1"]


def nan(file):
    file["layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan


def extra_part(file):
    file["layers/conv2d/cell/vars/0"] = np.zeros(3, "float32")


def part_named_as_a_property(file):
    file["layers/conv2d/output/vars/0"] = np.zeros(3, "float32")


def extra_layer(file):
    file["layers/conv2d_9/vars/0"] = np.zeros((2, 2), "float32")
    file["layers/conv2d_9/vars"].attrs["name"] = "block2_0_conv"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed_layer, "this network has no layer 'block7_0_conv'"),
        (extra_layer, "this network has no layer 'block2_0_conv'"),
        (missing_layer, "Conv2D 'block1_0_conv' is missing in the weights"),
        (nan, "Conv2D 'block0_0_conv' holds NaN or infinite values in the weights"),
        (extra_part, "Conv2D 'block0_0_conv' holds a part 'cell' in the weights that this network lacks"),
        (
            part_named_as_a_property,
            "Conv2D 'block0_0_conv' holds a part 'output' in the weights that this network lacks",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(tmp_path, change, message):
    target = architectures.build_network(config().model, (8, 8, 3), CLASSES, "image")
    before = values(target)
    with pytest.raises(UserError, match=r"does not fit: .*, or leave --model.weights out.$") as refusal:
        load(random_net(config()), target, tmp_path, config(), change)
    assert message in str(refusal.value)
    for key, value in values(target).items():
        np.testing.assert_array_equal(value, before[key])


def test_a_missing_inner_layer_is_refused(tmp_path):
    settings = config("vit_tiny", shape=(32, 32, 3))
    net = random_net(settings, shape=(32, 32, 3))

    def incomplete(file):
        del file["layers/attention/combine"]

    with pytest.raises(UserError, match="Attention 'block0_attention' lacks some of its 4 arrays in the weights; use"):
        load(net, net, tmp_path, settings, incomplete)


def test_another_width_is_refused(tmp_path):
    target = architectures.build_network(config(width=5).model, (8, 8, 3), CLASSES, "image")
    shapes = r"Conv2D 'block0_0_conv' has shape \(3, 3, 3, 4\) in the weights and \(3, 3, 3, 5\) in this network"
    with pytest.raises(UserError, match=f"{shapes}; use the settings that they were trained with"):
        load(random_net(config()), target, tmp_path, config())


def test_a_head_without_bias_stays_random(tmp_path):
    target = architectures.build_network(config().model, (8, 8, 3), CLASSES, "image")
    notes = load(random_net(config()), target, tmp_path, config(), missing_bias)
    assert "'logits', because Dense 'logits' holds 1 arrays in the weights and 2 in this network" in notes[0]


def test_the_head_stays_random_where_the_stored_head_has_other_layers(tmp_path):
    """The run has dense layers before its logits, the new network has none; the shapes of the logits agree."""
    large = config("alexnet", shape=(67, 67, 3), stem="large", fc_units=256)
    net = random_net(large, shape=(67, 67, 3))
    model = {"name": "alexnet", "stem": "large", "fc_units": 256, **LIGHT}
    path = run_folder(tmp_path / "run", net, model=model)
    new = config("alexnet", shape=(67, 67, 3), stem="large", fc_units=0, weights=path)
    target = architectures.build_network(new.model, (67, 67, 3), CLASSES, "image")
    assert target.get_layer("logits").kernel.shape == net.get_layer("logits").kernel.shape
    before = values(target)
    notes = transfer.load(pretrained_weights.find(new), target, new, LABELS)
    assert "randomly initialized: 'logits', because the head in the weights has 'fc1'." in notes[0]
    np.testing.assert_array_equal(values(target)["logits/0"], before["logits/0"])
