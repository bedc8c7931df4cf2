"""Every architecture of the registry, with each kind of features it takes."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES
from tfrec.architectures.base import ImageModelConfig

CLASSES = 5
SHAPES = {"image": (32, 32, 3), "sequence": (None, 20), "waveform": (None, 1)}
PAPER_SHAPES = {  # and the number of classes
    "image": ((224, 224, 3), 1000),
    "sequence": ((None, 20), 5),
    "waveform": ((None, 1), 5),
}
STEPS = {"sequence": 30, "waveform": 400}  # frames or samples of the longest clip
# Trainable weights of the default configuration on the shapes above: the paper's figure, or counted by hand.
PARAMETERS = {
    ("airbench", "image"): 2_224_792,
    ("alexnet", "image"): 62_378_344,
    ("bc_resnet_1", "sequence"): 8_225,
    ("bc_resnet_1_5", "sequence"): 15_647,
    ("bc_resnet_2", "sequence"): 25_277,
    ("bc_resnet_3", "sequence"): 51_161,
    ("bc_resnet_6", "sequence"): 181_805,
    ("bc_resnet_8", "sequence"): 313_061,
    ("bilstm", "sequence"): 548_101,
    ("cct_7_3x1", "image"): 4_804_520,
    ("cnn", "image"): 416_456,
    ("cnn", "sequence"): 288_805,
    ("cnn_lstm", "sequence"): 550_181,
    ("cnn_lstm_concat", "sequence"): 429_477,
    ("coatnet_0", "image"): 25_036_884,
    ("conformer", "sequence"): 927_909,
    ("efficientnet_b0", "image"): 5_288_548,
    ("efficientnet_b1", "image"): 7_794_184,
    ("efficientnet_b2", "image"): 9_109_994,
    ("efficientnet_b3", "image"): 12_233_232,
    ("efficientnet_b4", "image"): 19_341_616,
    ("efficientnet_b5", "image"): 30_389_784,
    ("efficientnet_b6", "image"): 43_040_704,
    ("efficientnet_b7", "image"): 66_347_960,
    # The 6,998,552 of the published network, whose 7,280 biases are an offset and a scale here.
    ("googlenet", "image"): 7_005_832,
    ("gru", "sequence"): 157_317,
    ("inception_v3", "image"): 23_817_352,
    ("kwt_1", "sequence"): 599_237,
    ("kwt_2", "sequence"): 2_378_117,
    ("kwt_3", "sequence"): 5_336_645,
    ("lstm", "sequence"): 208_517,
    ("mlp", "image"): 38_858_216,
    ("mlp", "sequence"): 231_173,
    ("mobilenet_v2", "image"): 3_504_872,
    ("mobilenet_v3_large", "image"): 5_483_032,
    ("mobilenet_v3_small", "image"): 2_542_856,
    ("resnet101", "image"): 44_601_832,
    ("resnet152", "image"): 60_268_520,
    ("resnet18", "image"): 11_689_512,
    ("resnet34", "image"): 21_797_672,
    ("resnet50", "image"): 25_583_592,
    ("resnet_mel", "sequence"): 1_220_613,
    ("rnn", "sequence"): 52_613,
    ("squeezenet", "image"): 1_235_496,
    ("squeezenet_1_0", "image"): 1_248_424,
    ("squeezenet_1_1", "image"): 1_235_496,
    ("transformer", "sequence"): 448_901,
    ("vgg16", "image"): 138_357_544,
    ("vgg19", "image"): 143_667_240,
    ("vit_base", "image"): 86_567_656,
    ("vit_small", "image"): 22_050_664,
    ("vit_tiny", "image"): 5_717_416,
    ("wavenet", "waveform"): 117_125,
}
# Networks that have nothing of their own beside another one's but size; their tests are marked slow.
ONLY_LARGER = {
    *(f"bc_resnet_{size}" for size in ("1_5", "2", "3", "6", "8")),
    *(f"efficientnet_b{i}" for i in range(1, 8)),
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
# A step of these takes Keras ten seconds to trace and XLA a minute to compile, however narrow they are.
DEEP = {
    "bc_resnet_1",
    "coatnet_0",
    "conformer",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "resnet50",
}
# What XLA makes of these, others show: a plain LSTM, the CNN with one, a Transformer.
SAME_PARTS = {"bilstm", "cnn_lstm_concat", "gru", "kwt_1", "rnn"}


# Of networks that are no `ImageModelConfig`: as few layers and channels as show all that there is.
LESS = {
    "cnn": {"width": 8},
    **{name: {"width": 8, "units": 32} for name in ("cnn_lstm", "cnn_lstm_concat")},
    **{name: {"units": 32} for name in ("bilstm", "gru", "lstm", "rnn")},
    "conformer": {"depth": 1},
    **{name: {"depth": 2} for name in ("kwt_1", "kwt_2", "kwt_3", "transformer")},
    "resnet_mel": {"width": 16},
    "wavenet": {"layers": 3},
}


# Those that give tokens have tests of their own, in test_transcribers.py.
CLASSIFIERS = {
    name: entry
    for name, entry in ARCHITECTURES.items()
    if architectures.gives(architectures.default_config(name)) == "classes"
}


def cases(slow):
    """Every architecture with each kind of features it takes; those named in `slow` are marked so."""
    return [
        pytest.param(name, kind, marks=[pytest.mark.slow] * (name in slow))
        for name, (module, _) in CLASSIFIERS.items()
        for kind in module.TAKES
    ]


CASES = cases(ONLY_LARGER)
# Whatever has true lengths; images have none.
CLIPS = [case for case in cases(ONLY_LARGER) if case.values[1] in STEPS]
CAUSAL = {name: getattr(module, "CAUSAL", {}).get(name) for name, (module, _) in CLASSIFIERS.items()}
IMAGES = [name for name, (module, _) in ARCHITECTURES.items() if issubclass(module.Config, ImageModelConfig)]


def light(name):
    """The architecture's config, small enough for a test: every part of it once, with few channels."""
    config = architectures.default_config(name)
    if isinstance(config, ImageModelConfig):
        return dataclasses.replace(config, width_multiplier=0.25, depth_multiplier=0.01)
    return dataclasses.replace(config, **LESS.get(name, {}))


def build(name, kind, **changes):
    keras.utils.set_random_seed(1)
    return architectures.build(SHAPES[kind], CLASSES, dataclasses.replace(light(name), **changes), kind)


def stirred(net):
    """The network, every weight moved a little: a residual branch that starts as zeros hides what lies before them."""
    for weight in net.trainable_weights:
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.02))
    return net


def effective(net):
    """The trainable weights but the biases that published networks have before batch norm, which takes them away."""
    norms = {layer.name for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization)}
    idle = {f"{name.removesuffix('norm')}conv/bias" for name in norms}
    return [weight for weight in net.trainable_weights if weight.path not in idle]


def batch(kind, examples=4):
    random = np.random.default_rng(3)
    if kind == "image":
        return random.normal(size=(examples, *SHAPES[kind])).astype("float32")
    frames = STEPS[kind]
    counts = np.linspace(frames // 2, frames, examples).astype("int32")
    features = random.normal(size=(examples, frames, SHAPES[kind][1])).astype("float32")
    features *= np.arange(frames)[None, :, None] < counts[:, None, None]
    return {"features": features, "frames": counts}


def test_every_case_is_pinned():
    assert set(PARAMETERS) == {tuple(case.values) for case in CASES}
    assert {name for name, _ in PARAMETERS} >= ONLY_LARGER


@pytest.mark.parametrize(("name", "kind"), [tuple(case.values) for case in CASES])
def test_parameters_of_the_paper(name, kind):
    shape, classes = PAPER_SHAPES[kind]
    with keras.StatelessScope():  # nothing is drawn, only counted
        net = architectures.build(shape, classes, architectures.default_config(name), kind)
    assert sum(math.prod(weight.shape) for weight in net.trainable_weights) == PARAMETERS[name, kind]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_shape_and_finite_values(name, kind):
    net = build(name, kind)
    logits = net(batch(kind))
    assert logits.shape == (4, CLASSES)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_reaches_every_weight(name, kind):
    net = stirred(build(name, kind))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(net(batch(kind), training=True)[:, 0] ** 2)
    gradients = tape.gradient(loss, [weight.value for weight in effective(net)])
    for weight, gradient in zip(effective(net), gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_saves_and_loads(name, kind, tmp_path):
    net = stirred(build(name, kind))
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(loaded(batch(kind)), net(batch(kind)), atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), cases(ONLY_LARGER | DEEP))
def test_learns_eight_examples_by_heart(name, kind):
    hindrance = {"dropout": 0.0} if hasattr(light(name), "dropout") else {}
    net = build(name, kind, **hindrance)
    inputs, labels = batch(kind, examples=8), np.arange(8) % CLASSES
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    for _ in range(6):  # 90 steps, of which most networks need few; moving averages of many layers follow slowly
        net.fit(inputs, labels, batch_size=8, epochs=15, verbose=0)
        answers = net.predict(inputs, verbose=0).argmax(axis=-1)
        if (answers == labels).all():
            break
    np.testing.assert_array_equal(answers, labels)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_trains_in_mixed_precision(name, kind):
    check_mixed_precision(name, kind, jit_compile=False)


@pytest.mark.parametrize(("name", "kind"), cases(ONLY_LARGER | DEEP | SAME_PARTS))
def test_trains_in_mixed_precision_under_xla(name, kind):
    check_mixed_precision(name, kind, jit_compile=True)


def check_mixed_precision(name, kind, jit_compile):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = stirred(build(name, kind))
    finally:
        keras.config.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.SGD(1e-2), loss, jit_compile=jit_compile)
    before = [np.array(weight) for weight in effective(net)]
    history = net.fit(batch(kind), np.arange(4), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all((np.array(weight) != old).any() for weight, old in zip(effective(net), before, strict=True))
    assert net(batch(kind)).dtype == "float32"


@pytest.mark.parametrize(("name", "kind"), CLIPS)
def test_padding_and_neighbors_never_change_a_clip(name, kind):
    net = stirred(build(name, kind))
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics of one batch, so that no signal fades away
    net(batch(kind, examples=6), training=True)
    random = np.random.default_rng(5)
    longest, bins = STEPS[kind] + 3, SHAPES[kind][1]
    others = random.normal(size=(5, longest, bins)).astype("float32")
    answers = np.asarray(net({"features": others, "frames": np.full(5, longest)}))
    spread = np.std(answers, axis=0).max()
    assert spread > 1e-3
    for frames in (1, 2, 7, 16, STEPS[kind] // 2 + 1, STEPS[kind] - 1):
        clip = random.normal(size=(1, frames, bins)).astype("float32")
        alone = np.asarray(net({"features": clip, "frames": np.array([frames])}))
        padded = np.concatenate([clip, np.zeros((1, longest - frames, bins), "float32")], axis=1)
        together = net({"features": np.concatenate([padded, others[:1]]), "frames": np.array([frames, longest])})
        assert np.abs(together[:1] - alone).max() < 1e-3 * spread
        # What lies past the end may be anything.
        for value in (7.0, np.nan):
            garbage = padded.copy()
            garbage[:, frames:] = value
            assert np.abs(net({"features": garbage, "frames": np.array([frames])}) - alone).max() < 1e-3 * spread


@pytest.mark.parametrize("name", [name for name, layer in CAUSAL.items() if layer])
def test_causal_layers_never_see_the_future(name):
    kind = next(kind for kind in ARCHITECTURES[name][0].TAKES if kind in STEPS)
    net = build(name, kind)
    inside = keras.Model(net.input, net.get_layer(CAUSAL[name]).output)
    inputs = batch(kind, examples=1) | {"frames": np.array([STEPS[kind]])}
    inputs["features"] += np.random.default_rng(6).normal(size=inputs["features"].shape).astype("float32")
    before = np.asarray(inside(inputs))
    stride = -(-STEPS[kind] // before.shape[1])  # a frame covers so many of the input's
    for frame in (0, 1, before.shape[1] // 2, before.shape[1] - 2):
        for first, changed in ((stride * (frame + 1), False), (stride * (frame + 1) - stride, True)):
            features = inputs["features"].copy()
            features[:, first:] += 3.0
            after = np.asarray(inside({**inputs, "features": features}))
            assert (np.abs(after[:, : frame + 1] - before[:, : frame + 1]).max() > 1e-4) == changed
            assert np.abs(after[:, frame + 1 :] - before[:, frame + 1 :]).max() > 1e-4  # the past matters


def test_some_are_causal():
    assert {"wavenet"} <= {name for name, layer in CAUSAL.items() if layer}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_features_and_blocks(name, kind):
    net = build(name, kind)
    features = architectures.features(net)
    assert len(features.output.shape) == 2
    assert features(batch(kind)).shape == (4, features.output.shape[1])
    blocks = architectures.backbone(net)
    backbone = {id(weight) for layers in blocks.values() for layer in layers for weight in layer.weights}
    head = [weight for weight in net.weights if id(weight) not in backbone]
    assert backbone
    assert 0 < len(head) <= 8  # dense layers, no part of the network proper
    assert {id(weight) for weight in features.weights} == backbone


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case.values[1] == "image"])
@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(name, kind, channels):
    net = architectures.build((32, 32, channels), CLASSES, light(name), kind)
    assert net(np.zeros((2, 32, 32, channels), "float32")).shape == (2, CLASSES)


@pytest.mark.parametrize("name", IMAGES)
def test_small_stem_keeps_the_picture(name):
    """At 32 pixels the last map before the pooling is more than one pixel, and the large stem shrinks further."""
    places = {}
    for stem in ("small", "large"):
        net = architectures.build((32, 32, 3), CLASSES, dataclasses.replace(light(name), stem=stem), "image")
        below = keras.Model(net.input, net.get_layer("embedding").output).layers  # a head may hold 1x1 convolutions
        maps = [layer.output.shape for layer in below if len(getattr(layer, "kernel", np.zeros(0)).shape) == 4]
        places[stem] = maps[-1][1] * maps[-1][2]
    assert places["small"] > 1
    assert places["small"] > places["large"]
    assert dataclasses.replace(light(name), stem="auto").small_stem((32, 32, 3))
    assert not dataclasses.replace(light(name), stem="auto").small_stem((224, 224, 3))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_refuses_what_it_does_not_take(name):
    module, config = ARCHITECTURES[name]
    with pytest.raises(ValueError, match=r"Received: \(7,\)"):
        module.build((7,), CLASSES, config)
    for kind in set(SHAPES) - set(module.TAKES):
        with pytest.raises(UserError, match="choose"):
            architectures.build(SHAPES[kind], CLASSES, architectures.default_config(name), kind)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_configs_are_frozen_and_named(name):
    config = architectures.default_config(name)
    assert config.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"


def test_unknown_name_suggests():
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        architectures.default_config("lsmt")
