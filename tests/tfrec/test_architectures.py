"""Every architecture of the registry, with each kind of features it takes."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES

CLASSES = 5
SHAPES = {"image": (16, 16, 3), "sequence": (None, 20)}
# Weights of the default configuration on the shapes above, counted by hand from the layers' sizes.
PARAMETERS = {
    ("cnn", "image"): 288_997,
    ("cnn", "sequence"): 289_701,
    ("lstm", "sequence"): 208_517,
    ("mlp", "image"): 263_941,
}
CASES = [(name, kind) for name, (module, _) in ARCHITECTURES.items() for kind in module.TAKES]


def build(name, kind):
    keras.utils.set_random_seed(1)
    return architectures.build(SHAPES[kind], CLASSES, architectures.default_config(name), kind)


def batch(kind, examples=4, frames=30):
    random = np.random.default_rng(3)
    if kind == "image":
        return random.normal(size=(examples, *SHAPES[kind])).astype("float32")
    counts = np.linspace(frames // 2, frames, examples).astype("int32")
    features = random.normal(size=(examples, frames, SHAPES[kind][1])).astype("float32")
    features *= np.arange(frames)[None, :, None] < counts[:, None, None]
    return {"features": features, "frames": counts}


def test_every_case_is_pinned():
    assert set(PARAMETERS) == set(CASES)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_shape_size_and_finite_values(name, kind):
    net = build(name, kind)
    logits = net(batch(kind))
    assert logits.shape == (4, CLASSES)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()
    assert net.count_params() == PARAMETERS[name, kind]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_reaches_every_weight(name, kind):
    net = build(name, kind)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(net(batch(kind), training=True)[:, 0] ** 2)
    gradients = tape.gradient(loss, [weight.value for weight in net.trainable_weights])
    for weight, gradient in zip(net.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_saves_and_loads(name, kind, tmp_path):
    net = build(name, kind)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(loaded(batch(kind)), net(batch(kind)), atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_learns_eight_examples_by_heart(name, kind):
    net = build(name, kind)
    inputs, labels = batch(kind, examples=8), np.arange(8) % CLASSES
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    net.fit(inputs, labels, batch_size=8, epochs=60, verbose=0)
    assert (net.predict(inputs, verbose=0).argmax(axis=-1) == labels).all()


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_trains_in_mixed_precision(name, kind, jit_compile):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = build(name, kind)
    finally:
        keras.config.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.SGD(1e-2), loss, jit_compile=jit_compile)
    before = [np.array(weight) for weight in net.trainable_weights]
    history = net.fit(batch(kind), np.arange(4), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all((np.array(weight) != old).any() for weight, old in zip(net.trainable_weights, before, strict=True))
    assert net(batch(kind)).dtype == "float32"


@pytest.mark.parametrize("name", [name for name, kind in CASES if kind == "sequence"])
def test_padding_and_neighbours_never_change_a_clip(name):
    net = build(name, "sequence")
    # Statistics of their own, so that a batch norm does something.
    net(batch("sequence", examples=6), training=True)
    random = np.random.default_rng(5)
    for frames in (1, 2, 7, 16, 29):
        clip = random.normal(size=(1, frames, 20)).astype("float32")
        alone = net({"features": clip, "frames": np.array([frames])})
        padded = np.concatenate([clip, np.zeros((1, 33 - frames, 20), "float32")], axis=1)
        neighbour = random.normal(size=(1, 33, 20)).astype("float32")
        together = net({"features": np.concatenate([padded, neighbour]), "frames": np.array([frames, 33])})
        np.testing.assert_allclose(together[:1], alone, atol=1e-5)
        # What lies past the end may be anything.
        for value in (7.0, np.nan):
            garbage = padded.copy()
            garbage[:, frames:] = value
            np.testing.assert_allclose(net({"features": garbage, "frames": np.array([frames])}), alone, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_refuses_what_it_does_not_take(name):
    module, config = ARCHITECTURES[name]
    with pytest.raises(ValueError, match=r"Received: \(7,\)"):
        module.build((7,), CLASSES, config)
    for kind in {"image", "sequence"} - set(module.TAKES):
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
