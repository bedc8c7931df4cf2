"""Saving as .keras and loading: every custom class is registered, and a fresh process needs one import."""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.small_networks import ONE_OF_EACH_MODULE, batch, build, perturb
from tfrec import architectures

ARGUMENTS = {  # of constructors, other than the defaults
    "Attention": {"heads": 2, "size": 4, "units": 7, "qkv_bias": False, "dropout": 0.5, "causal": True},
    "AttentionLSTMDecoder": {"units": 4, "depth": 3, "attention": 5},
    "BlockMean": {"size": 3},
    "ChannelStatistics": {},
    "ClassToken": {},
    "CountSteps": {},
    "CrossAttention": {"heads": 2, "size": 4, "units": 7, "qkv_bias": False, "dropout": 0.5},
    "DiracUniform": {"seed": 3},
    "EachPicture": {},
    "FinalState": {"bidirectional": True},
    "FirstToken": {},
    "FrameMask": {},
    "FrequencyMean": {},
    "GatedCell": {"units": 3},
    "GatedDilation": {"units": 3, "dilation": 2, "causal": False},
    "GivenSteps": {},
    "JoinPairs": {},
    "KeepClass": {},
    "LogScale": {"temperature": 0.5},
    "MapScale": {},
    "MaskFrames": {},
    "Matchmap": {},
    "MatchmapSimilarity": {"similarity": "misa"},
    "ModalityDropout": {"rate": 0.25, "tokens": [3, 5], "seed": 7},
    "AttentionPool": {"statistics": True},
    "MaskedMean": {},
    "PlainCell": {"units": 3},
    "PositionEmbedding": {"grid": (2, 3), "prefix": 1, "stddev": 0.1},
    "RandomQuantizer": {"bins": 20, "step": 2, "codes": 16, "size": 4, "probability": 0.1, "span": 5, "seed": 3},
    "RelativeAttention": {"heads": 2, "size": 4, "units": 7, "qkv_bias": False, "dropout": 0.5, "causal": True},
    "RelativePosition": {"grid": (2, 3), "heads": 2},
    "SequencePooling": {},
    "ShownPicture": {},
    "SinusoidalPosition": {},
    "StochasticDepth": {"rate": 0.2, "seed": 3},
    "StrideMask": {"stride": 3},
    "SubSpectralNorm": {"sub_bands": 3},
    "TimeConvolution": {"dilation": 2},
    "Whitening": {"size": 3, "epsilon": 1e-3},
    "EveryPatch": {"patches": 5},
    "FutureFrames": {"step": 2, "ahead": 4},
    "GumbelQuantizer": {"groups": 2, "entries": 5, "size": 3, "temperature": 0.5, "seed": 3},
    "HiddenPatches": {"side": 4, "cell": 2, "fraction": 0.5, "normalize": True, "lists": False, "seed": 3},
    "RestorePatches": {"patches": 5},
    "SpanMask": {"step": 2, "probability": 0.1, "span": 5, "seed": 3},
    "TargetSteps": {"step": 2},
    "VisibleTokens": {},
}
BASES = {"ExplicitMaskLayer", "_Cell"}  # never part of a network
LOAD = """
import json, sys
import keras, numpy as np
import tfrec.architectures
folder = sys.argv[1]
for number in range(int(sys.argv[2])):
    net = keras.saving.load_model(f"{folder}/{number}.keras", safe_mode=True)
    with np.load(f"{folder}/{number}.npz") as arrays:
        inputs = {name[3:]: arrays[name] for name in arrays if name.startswith("in_")}
        expected = {name[4:]: arrays[name] for name in arrays if name.startswith("out_")}
    outputs = net(inputs if "frames" in inputs else inputs["image"])
    outputs = outputs if isinstance(outputs, dict) else {"vector": outputs}
    assert set(outputs) == set(expected)
    differences = {name: float(np.abs(np.asarray(outputs[name]) - value).max()) for name, value in expected.items()}
    print(json.dumps(differences))
"""


def custom_classes():
    """{name: class} of every Keras layer and initializer that the package defines."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(architectures.__path__, "tfrec.architectures.")
    ]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, keras.layers.Layer | keras.initializers.Initializer)
        and value.__module__ == module.__name__
    }


def test_every_custom_class_is_tested():
    assert set(custom_classes()) - BASES == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_custom_class_is_registered_and_round_trips(name):
    kind = custom_classes()[name]
    assert keras.saving.get_registered_object(f"tfrec>{name}") is kind
    arguments = (
        ARGUMENTS[name] if issubclass(kind, keras.initializers.Initializer) else {**ARGUMENTS[name], "name": "x"}
    )
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(kind(**arguments))))
    copy = keras.saving.deserialize_keras_object(stored)
    assert type(copy) is kind
    config = copy.get_config()
    for argument, value in arguments.items():
        assert config[argument] == value


@pytest.mark.slow
def test_a_fresh_process_loads_every_network(tmp_path):
    """One network of each module, saved here and loaded there in safe mode."""
    for number, name in enumerate(ONE_OF_EACH_MODULE):
        kind = architectures.find(name).input_kinds[0]
        net = perturb(build(name, kind, 5))
        net.save(tmp_path / f"{number}.keras")
        inputs = batch(kind)
        if isinstance(net.input, dict) and "tokens" in net.input:
            inputs["tokens"] = np.array([[0, 1, 2]] * 4, "int32")
        outputs = net(inputs)
        inputs = inputs if isinstance(inputs, dict) else {"image": inputs}
        outputs = outputs if isinstance(outputs, dict) else {"vector": outputs}
        arrays = {f"in_{key}": value for key, value in inputs.items()}
        np.savez(tmp_path / f"{number}.npz", **arrays, **{f"out_{key}": value for key, value in outputs.items()})
    command = [sys.executable, "-c", LOAD, str(tmp_path), str(len(ONE_OF_EACH_MODULE))]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    for name, differences in zip(ONE_OF_EACH_MODULE, lines, strict=True):
        assert max(differences.values()) < 1e-5, name
