"""Small networks of every architecture: few layers and units that show every part."""

import dataclasses

import keras
import numpy as np
import pytest

from tfrec import architectures
from tfrec.architectures import ARCHITECTURES, ImageModelConfig
from tfrec.architectures.image import cnn
from tfrec.architectures.speech import recurrent_ctc

SHAPES = {"image": (32, 32, 3), "sequence": (None, 20), "waveform": (None, 1)}
SHAPES["pair"] = {"image": SHAPES["image"], "audio": SHAPES["sequence"]}
SHAPES["audio_visual"] = {"video": (None, *SHAPES["image"]), "audio": SHAPES["sequence"]}
STEPS = {"sequence": 30, "waveform": 800}  # frames or samples of the longest clip
PICTURES, PER_PICTURE = 6, 4  # of moving pictures, which end before the longest clip; frames of the clip for each
CONFORMER = {"width": 12, "depth": 1, "heads": 2, "kernel": 3, "filters": 4}
PAIR = {name: cnn.Config(name="cnn", width=4, depth=2) for name in ("image", "speech")}
# Fields of the small networks of architectures whose config is no `ImageModelConfig`.
FIELDS = {
    "cnn": {"width": 8},
    **{name: {"width": 8, "units": 32} for name in ("cnn_lstm", "cnn_lstm_concat")},
    **{name: {"units": 32} for name in ("bilstm", "gru", "lstm", "rnn")},
    "conformer": {"depth": 1},
    **{name: {"depth": 2} for name in ("kwt_1", "kwt_2", "kwt_3", "transformer")},
    "resdavenet": {"width_multiplier": 0.1, "depth_multiplier": 0.01},
    "resnet_mel": {"width": 16},
    "wavenet": {"layers": 3},
    "conformer_ctc": CONFORMER,
    **{f"conformer_{size}": {**CONFORMER, "decoder": 8} for size in "lms"},
    "las": {"units": 6, "depth": 2, "pyramid": 1, "decoder": 8, "width": 6},
    "speech_transformer": {"width": 12, "depth": 1, "decoder_depth": 1, "heads": 2, "filters": 4},
    **{name: {"units": 12, "depth": 2, "filters": 4} for name in ("bilstm_ctc", "gru_ctc", "lstm_ctc")},
    "deepspeech2": {"units": 12, "depth": 2, "filters": 4},
    "davenet": {"width_multiplier": 0.1, "similarity": "misa", "batch_norm": True},
    "dual_encoder": PAIR,
    "av_fusion": {**PAIR, "units": 16},
    "av_ctc": {
        "image": PAIR["image"],
        "speech": recurrent_ctc.Config(name="lstm_ctc", units=12, depth=1, filters=4),
        "units": 16,
        "dropout": 0.0,
    },
    "wavenet_ctc": {"channels": 8, "skip_channels": 12, "layers": 2, "stacks": 1, "convolutions": 2, "block": 5},
}
# Networks that differ from another one in size only; their tests are marked slow.
SCALED = {
    *(f"bc_resnet_{size}" for size in ("1_5", "2", "3", "6", "8")),
    *(f"conformer_{size}" for size in "lms"),
    *(f"efficientnet_b{i}" for i in range(1, 8)),
    "gru_ctc",
    "kwt_2",
    "kwt_3",
    "mobilenet_v3_small",
    "resnet101",
    "resnet152",
    "resnet34",
    "squeezenet",
    "squeezenet_1_0",
    "vgg19",
    "vit_base",
    "vit_small",
}
# One name of each module: every class and function of the package is part of one of them.
ONE_OF_EACH_MODULE = list({entry[0]: name for name, entry in reversed(ARCHITECTURES.items())}.values())[::-1]


def cases(output_kind, slow=frozenset(SCALED)):
    """pytest parameters (name, input kind) of every architecture with that output; those named in `slow` are slow."""
    return [
        pytest.param(name, kind, marks=[pytest.mark.slow] * (name in slow))
        for name in ARCHITECTURES
        if architectures.find(name).output_kind == output_kind
        for kind in architectures.find(name).input_kinds
    ]


def small_config(name, **changes):
    """The config of a small network."""
    config = architectures.default_config(name)
    if isinstance(config, ImageModelConfig):
        return dataclasses.replace(config, **{"width_multiplier": 0.25, "depth_multiplier": 0.01, **changes})
    return dataclasses.replace(config, **{**FIELDS.get(name, {}), **changes})


def build(name, kind, outputs, **changes):
    """A small network with the same random weights at each call."""
    keras.utils.set_random_seed(1)
    config = small_config(name, **changes)
    return architectures.build_network(config, SHAPES[kind], outputs, kind, architectures.find(name).output_kind)


def perturb(net):
    """Adds noise to every weight, since a residual branch that starts as zeros hides what is before its last layer."""
    for weight in net.trainable_weights:
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.02))
    return net


def batch(kind, examples=4):
    """Random features; clips are half as long as the longest, to as long."""
    if kind == "pair":
        clips = batch("sequence", examples)
        return {"image": batch("image", examples), "audio": clips["features"], "frames": clips["frames"]}
    if kind == "audio_visual":
        clips = batch("sequence", examples)
        shown = np.arange(STEPS["sequence"], dtype="int32")[None] // PER_PICTURE
        return {
            "video": batch("image", examples * PICTURES).reshape(examples, PICTURES, *SHAPES["image"]),
            "audio": clips["features"],
            "frames": clips["frames"],
            "shown": np.where(shown < PICTURES, shown, -1).repeat(examples, axis=0),
            "has_audio": np.ones(examples, "int32"),
        }
    random = np.random.default_rng(3)
    if kind == "image":
        return random.normal(size=(examples, *SHAPES[kind])).astype("float32")
    counts = np.linspace(STEPS[kind] // 2, STEPS[kind], examples).astype("int32")
    features = random.normal(size=(examples, STEPS[kind], SHAPES[kind][1])).astype("float32")
    return {"features": features, "frames": counts}


def batch_norms(layer):
    """Every batch normalization of a layer or model, however deeply nested."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return [layer]
    return [norm for part in sublayers(layer) for norm in batch_norms(part)]


def sublayers(layer):
    """The layers that are attributes of a layer, or the layers of a model."""
    values = layer.layers if isinstance(layer, keras.Model) else vars(layer).values()
    found = {}
    for value in values:
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, keras.layers.Layer):
                found[id(item)] = item
    return list(found.values())
