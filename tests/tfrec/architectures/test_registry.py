"""The registry: what every module offers, published sizes, and networks by name."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import FIELDS, SCALED, SHAPES, cases, small_config
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES, REFERENCE_SHAPES, find

MODULES = {module.__name__.rpartition(".")[2]: module for module, _ in ARCHITECTURES.values()}
OF_NAMES = ("PARAMETERS", "IMAGENET", "CAUSAL")  # tables by name


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_module_offers_what_the_registry_describes(module):
    own = {name for name, (other, _) in ARCHITECTURES.items() if other is module}
    assert set(module.PARAMETERS) == set(module.INPUT_KINDS) <= set(SHAPES)
    assert all(set(numbers) == own for numbers in module.PARAMETERS.values())
    assert set(getattr(module, "IMAGENET", {})) <= own
    assert set(getattr(module, "CAUSAL", {})) <= own
    assert getattr(module, "OUTPUT_KIND", "vector") in architectures.registry.OUTPUT_KINDS
    assert 2 <= len(module.SEARCH_SPACE) <= 5
    assert set(module.SEARCH_SPACE) <= {field.name for field in dataclasses.fields(module.Config)}
    assert all(hasattr(keras.applications, constructor) for constructor, _ in getattr(module, "IMAGENET", {}).values())


def test_tables_of_the_tests_name_architectures():
    assert set(FIELDS) | SCALED <= set(ARCHITECTURES)


@pytest.mark.parametrize(("name", "kind"), [*cases("vector"), *cases("sequence"), *cases("pair")])
def test_number_of_parameters(name, kind):
    entry = find(name)
    shape, outputs = REFERENCE_SHAPES[kind, entry.output_kind]
    with keras.StatelessScope():  # no weights are drawn
        net = architectures.build_network(entry.config, shape, outputs, kind, entry.output_kind)
    assert sum(math.prod(weight.shape) for weight in net.trainable_weights) == entry.parameters[kind]


def test_find():
    entry = find("resnet50")
    assert (entry.name, entry.config.name, entry.config.depths) == ("resnet50", "resnet50", (3, 4, 6, 3))
    assert (entry.input_kinds, entry.output_kind) == (("image",), "vector")
    assert entry.imagenet == ("ResNet50", "caffe")
    assert entry.parameters == {"image": 25_583_592}
    assert entry.search_space["stochastic_depth"] == "0..0.3"
    assert find("resnet18").imagenet is None
    assert find("lstm_ctc").output_kind == "sequence"
    assert (find("lstm").causal_layer, find("bilstm").causal_layer) == ("lstm1", None)
    assert architectures.describe(find("wavenet").config).startswith("receptive field")
    assert architectures.describe(find("mlp").config) is None


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_configs_are_frozen_and_named(name):
    config = architectures.default_config(name)
    assert config.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"


def test_unknown_name_suggests():
    for function in (architectures.default_config, find):
        with pytest.raises(UserError, match="did you mean 'lstm'"):
            function("lsmt")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_refuses_other_inputs(name):
    module, config = ARCHITECTURES[name]
    with pytest.raises(ValueError, match=r"Received: \(7,\)"):
        module.build((7,), 5, config)
    for kind in set(SHAPES) - set(find(name).input_kinds):
        with pytest.raises(UserError, match="choose"):
            architectures.build_network(find(name).config, SHAPES[kind], 5, kind, find(name).output_kind)


def test_refuses_another_kind_of_output():
    with pytest.raises(UserError, match=r"'lstm' outputs a vector where a sequence is needed.*bilstm_ctc"):
        architectures.build_network(find("lstm").config, (None, 20), 5, "sequence", "sequence")
    with pytest.raises(UserError, match=r"'lstm_ctc' outputs a sequence where a vector is needed.*airbench"):
        architectures.build_network(small_config("lstm_ctc"), (None, 20), 5, "sequence")


def test_build_by_name():
    net = architectures.build("resnet18", input_shape=(32, 32, 3), outputs=10, width_multiplier=0.25)
    assert net(np.zeros((2, 32, 32, 3), "float32")).shape == (2, 10)
    assert architectures.build("resnet18", (32, 32, 3), 10, depths=[1, 1], stem="large").get_layer("stage2_0_add")
    lstm = architectures.build("lstm_ctc", input_shape=(None, 40), outputs=29, units=8, depth=1)
    assert set(lstm.output) == {"logits", "steps"}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("resnet81", {}, "Unknown architecture 'resnet81': did you mean 'resnet18'"),
        ("resnet18", {"depht_multiplier": 2}, "Unknown resnet18 setting 'depht_multiplier': did you mean 'depth_mul"),
        ("resnet18", {"weights": "imagenet"}, "Unknown resnet18 setting 'weights'"),
        ("resnet18", {"block": "wide"}, r"'resnet18': model\.block must be 'basic' or 'bottleneck'\. Received: 'wide'"),
        ("resnet18", {"width_multiplier": "2"}, r"model\.width_multiplier must be float\. Received: '2'"),
        ("resnet18", {"depths": (2, 2.5)}, r"model\.depths must be a tuple of int\. Received: \(2, 2\.5\)"),
        ("resnet18", {"depths": ()}, r"model\.depths must be one or more positive numbers"),
        ("resnet18", {"dropout": 1.5}, r"model\.dropout must be at least 0 and below 1\. Received: 1\.5"),
        ("vit_tiny", {"patch": "4"}, r"model\.patch must be int or None\. Received: '4'"),
        ("resnet18", {"outputs": 0}, r"number of outputs must be a positive integer\. Received: 0"),
        ("resnet18", {"outputs": 2.5}, r"number of outputs must be a positive integer\. Received: 2\.5"),
        ("resnet18", {"input_shape": 32}, r"input shape must be a tuple of .*\. Received: 32"),
        ("resnet18", {"input_shape": (32, "32", 3)}, r"input shape must be a tuple of .*\. Received: \(32, '32', 3\)"),
        ("resnet18", {"input_shape": (None, 40)}, r"resnet takes \(height, width, channels\)\. Received: \(None, 40\)"),
    ],
)
def test_build_by_name_refuses(name, changes, message):
    with pytest.raises(UserError, match=message):
        architectures.build(name, **{"input_shape": (32, 32, 3), "outputs": 10, **changes})
