"""Every architecture with one vector of logits for each example, with each kind of features it takes."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.architectures.small_networks import (
    SCALED,
    SHAPES,
    STEPS,
    batch,
    batch_norms,
    build,
    cases,
    perturb,
    small_config,
)
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES, ImageModelConfig

OUTPUTS = 5
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
# XLA compiles the parts of these in other networks too: a plain LSTM, the CNN with one, a Transformer.
SAME_PARTS = {"bilstm", "cnn_lstm_concat", "gru", "kwt_1", "rnn"}
HYBRIDS = {"resnet_attention", "resnet_transformer"}
QUICK = {"mlp", "cnn", "lstm"}  # to learn eight examples takes the others ten seconds

CASES = cases("vector")
CLIPS = [case for case in CASES if case.values[1] in STEPS]  # images have no true lengths
ENTRIES = {name: architectures.find(name) for name in ARCHITECTURES}
CAUSAL = {
    name: entry.causal_layer for name, entry in ENTRIES.items() if entry.output_kind == "vector" and entry.causal_layer
}
IMAGES = [name for name, entry in ENTRIES.items() if isinstance(entry.config, ImageModelConfig)]


def effective(net):
    """The trainable weights without biases before a batch normalization, which cancels them."""
    norms = {layer.name for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization)}
    canceled = {f"{name.removesuffix('norm')}conv/bias" for name in norms}
    return [weight for weight in net.trainable_weights if weight.path not in canceled]


@functools.cache
def perturbed(name, kind):
    """A network for tests that do not change it, the same one for all."""
    return perturb(build(name, kind, OUTPUTS))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_shape_and_finite_values(name, kind):
    net = perturbed(name, kind)
    logits = net(batch(kind))
    assert logits.shape == (4, OUTPUTS)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_reaches_every_weight(name, kind):
    net = perturbed(name, kind)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(net(batch(kind), training=True)[:, 0] ** 2)
    gradients = tape.gradient(loss, [weight.value for weight in effective(net)])
    for weight, gradient in zip(effective(net), gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_saves_and_loads(name, kind, tmp_path):
    net = perturbed(name, kind)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(loaded(batch(kind)), net(batch(kind)), atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), cases("vector", set(ARCHITECTURES) - QUICK))
def test_overfits_eight_examples(name, kind):
    without_dropout = {"dropout": 0.0} if hasattr(small_config(name), "dropout") else {}
    net = build(name, kind, OUTPUTS, **without_dropout)
    inputs, labels = batch(kind, examples=8), np.arange(8) % OUTPUTS
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    for _ in range(6):  # 90 steps, of which most networks need few; moving averages of many layers follow slowly
        net.fit(inputs, labels, batch_size=8, epochs=15, verbose=0)
        predictions = net.predict(inputs, verbose=0).argmax(axis=-1)
        if (predictions == labels).all():
            break
    np.testing.assert_array_equal(predictions, labels)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_trains_in_mixed_precision(name, kind):
    check_mixed_precision(name, kind, jit_compile=False)


@pytest.mark.parametrize(("name", "kind"), cases("vector", SCALED | DEEP | SAME_PARTS | HYBRIDS))
def test_trains_in_mixed_precision_under_xla(name, kind):
    check_mixed_precision(name, kind, jit_compile=True)


def check_mixed_precision(name, kind, jit_compile):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = perturb(build(name, kind, OUTPUTS))
    finally:
        keras.config.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Eagerly where XLA does not compile: to trace the gradients of a deep network takes many times as long as a step.
    # Adam, whose steps do not become smaller with the gradient: one of 1e-5 times a rate is below the resolution of 1.
    net.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=jit_compile, run_eagerly=not jit_compile)
    before = [np.array(weight) for weight in effective(net)]
    history = net.fit(batch(kind), np.arange(4), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all((np.array(weight) != old).any() for weight, old in zip(effective(net), before, strict=True))
    assert net(batch(kind)).dtype == "float32"


@pytest.mark.parametrize(("name", "kind"), CLIPS)
def test_padding_and_neighbors_never_change_a_clip(name, kind):
    net = perturb(build(name, kind, OUTPUTS))
    for layer in batch_norms(net):
        layer.momentum = 0.0  # the statistics of one batch, so that no signal fades away
    net(batch(kind, examples=6), training=True)
    random = np.random.default_rng(5)
    longest, bins = STEPS[kind] + 3, SHAPES[kind][1]
    others = random.normal(size=(5, longest, bins)).astype("float32")
    logits = np.asarray(net({"features": others, "frames": np.full(5, longest)}))
    spread = np.std(logits, axis=0).max()
    assert spread > 1e-3
    for frames in (1, 2, 7, 16, STEPS[kind] // 2 + 1, STEPS[kind] - 1):
        clip = random.normal(size=(1, frames, bins)).astype("float32")
        expected = np.asarray(net({"features": clip, "frames": np.array([frames])}))
        padded = np.concatenate([clip, np.zeros((1, longest - frames, bins), "float32")], axis=1)
        together = net({"features": np.concatenate([padded, others[:1]]), "frames": np.array([frames, longest])})
        assert np.abs(together[:1] - expected).max() < 1e-3 * spread
        for value in (7.0, np.nan):  # values past the end may be anything
            garbage = padded.copy()
            garbage[:, frames:] = value
            result = net({"features": garbage, "frames": np.array([frames])})
            assert np.abs(result - expected).max() < 1e-3 * spread


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_layers_never_see_the_future(name):
    (kind,) = ENTRIES[name].input_kinds
    net = build(name, kind, OUTPUTS)
    inside = keras.Model(net.input, net.get_layer(CAUSAL[name]).output)
    inputs = batch(kind, examples=1) | {"frames": np.array([STEPS[kind]])}
    inputs["features"] += np.random.default_rng(6).normal(size=inputs["features"].shape).astype("float32")
    before = np.asarray(inside(inputs))
    stride = -(-STEPS[kind] // before.shape[1])  # input frames that a frame covers
    for frame in (0, 1, before.shape[1] // 2, before.shape[1] - 2):
        for first, changed in ((stride * (frame + 1), False), (stride * (frame + 1) - stride, True)):
            features = inputs["features"].copy()
            features[:, first:] += 3.0
            after = np.asarray(inside({**inputs, "features": features}))
            assert (np.abs(after[:, : frame + 1] - before[:, : frame + 1]).max() > 1e-4) == changed
            assert np.abs(after[:, frame + 1 :] - before[:, frame + 1 :]).max() > 1e-4  # the past matters


def test_some_are_causal():
    assert {"lstm", "wavenet"} <= set(CAUSAL)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_features_and_blocks(name, kind):
    net = perturbed(name, kind)
    features = architectures.feature_extractor(net)
    assert len(features.output.shape) == 2
    assert features(batch(kind)).shape == (4, features.output.shape[1])
    blocks = architectures.backbone_blocks(net)
    backbone = {id(weight) for layers in blocks.values() for layer in layers for weight in layer.weights}
    head = [weight for weight in net.weights if id(weight) not in backbone]
    assert backbone
    assert 0 < len(head) <= 8  # dense layers
    assert {id(weight) for weight in features.weights} == backbone


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case.values[1] == "image"])
@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(name, kind, channels):
    net = architectures.build_network(small_config(name), (32, 32, channels), OUTPUTS, kind)
    assert net(np.zeros((2, 32, 32, channels), "float32")).shape == (2, OUTPUTS)


@pytest.mark.parametrize("name", IMAGES)
def test_small_stem_downsamples_less(name):
    """At 32 pixels the last map before the pooling is more than one pixel, and the large stem downsamples further."""
    places = {}
    for stem in ("small", "large"):
        net = architectures.build_network(small_config(name, stem=stem), SHAPES["image"], OUTPUTS, "image")
        below = keras.Model(net.input, net.get_layer("embedding").output).layers  # a head may hold 1x1 convolutions
        maps = [layer.output.shape for layer in below if len(getattr(layer, "kernel", np.zeros(0)).shape) == 4]
        places[stem] = maps[-1][1] * maps[-1][2]
    assert places["small"] > 1
    assert places["small"] > places["large"]
    auto = dataclasses.replace(small_config(name), stem="auto")
    assert auto.small_stem((32, 32, 3))
    assert not auto.small_stem((224, 224, 3))
