"""The Conformer's parts against plain numpy."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import plain
from tfrec.architectures.base import MaskFrames
from tfrec.architectures.conformer_block import RelativeAttention, convolution_module, subsample
from tfrec.architectures.speech import conformer

RANDOM = np.random.default_rng(0)


def wave(distance, units):
    rates = 10000.0 ** (-np.arange(units // 2) * 2 / units)
    return np.concatenate([np.sin(distance * rates), np.cos(distance * rates)])


@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_relative_attention(tokens):
    layer = RelativeAttention(2, 3)
    x = RANDOM.normal(size=(2, tokens, 6)).astype("float32")
    keep = np.arange(tokens) < np.array([[tokens], [1]])
    layer.build(x.shape)
    for weight in layer.weights:
        weight.assign(RANDOM.normal(scale=0.5, size=weight.shape))
    result = np.asarray(layer(x, keep=keep))
    place, content_bias, place_bias = (
        np.asarray(w) for w in (layer.place.kernel, layer.content_bias, layer.place_bias)
    )
    for clip, inside, mixed in zip(x, keep, result, strict=True):
        query, key, value = np.split(plain.dense(clip, *map(np.asarray, layer.project.weights)), 3, axis=-1)
        expected = np.zeros_like(query)
        for head in range(2):
            here = slice(3 * head, 3 * head + 3)
            for i in range(tokens):
                logits = [
                    (query[i, here] + content_bias[head, 0]) @ key[j, here]
                    + (query[i, here] + place_bias[head, 0]) @ (wave(i - j, 6) @ place)[here]
                    for j in range(tokens)
                ]
                logits = np.where(inside, np.array(logits) / np.sqrt(3), -np.inf)
                expected[i, here] = plain.softmax(logits) @ value[:, here]
        np.testing.assert_allclose(mixed, plain.dense(expected, *map(np.asarray, layer.combine.weights)), atol=1e-4)


def test_relative_attention_is_saved_and_loaded(tmp_path):
    features = keras.Input((None, 6))
    net = keras.Model(features, RelativeAttention(2, 3)(features))
    net.save(tmp_path / "net.keras")
    x = RANDOM.normal(size=(2, 4, 6)).astype("float32")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "net.keras")(x), net(x), atol=1e-6)


def test_relative_attention_knows_distance_not_place():
    """The same clip further to the right is attended to alike."""
    layer = RelativeAttention(2, 3)
    clip = RANDOM.normal(size=(1, 4, 6)).astype("float32")
    later = np.concatenate([np.zeros((1, 3, 6), "float32"), clip], axis=1)
    keep = np.arange(7)[None] >= 3
    np.testing.assert_allclose(layer(later, keep=keep)[:, 3:], layer(clip), atol=1e-5)


@pytest.mark.parametrize(("factor", "frames"), [(1, 5), (2, 3), (4, 2)])
def test_subsampling(factor, frames):
    features, keep = keras.Input((None, 20)), keras.Input((None,), dtype="bool")
    net = keras.Model([features, keep], subsample(MaskFrames()(features, keep), keep, 6, 4, factor))
    x = RANDOM.normal(size=(1, 5, 20)).astype("float32")
    result, mask = net([x, np.ones((1, 5), bool)])
    assert result.shape == (1, frames, 6)
    assert np.asarray(mask).all()
    padded = np.concatenate([x, np.full((1, 4, 20), 9.0, "float32")], axis=1)
    longer, mask = net([padded, np.arange(9)[None] < 5])
    assert np.asarray(mask).sum() == frames
    np.testing.assert_allclose(longer[:, :frames], result, atol=1e-5)


def test_convolution_module():
    features, keep = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    net = keras.Model([features, keep], convolution_module(features, keep, 3, "conv"))
    of = {layer.name: plain.randomized(layer) for layer in net.layers if layer.weights}
    net.get_layer("conv_batch_norm").moving_variance.assign([0.5, 1.0, 2.0, 3.0])
    gamma, beta, mean, _ = of["conv_batch_norm"]
    x = RANDOM.normal(size=(5, 4)).astype("float32")
    y = plain.layer_norm(x, *of["conv_norm"], 1e-6)
    y = plain.dense(y, *of["conv_expand"]) / (1 + np.exp(-plain.dense(y, *of["conv_gate"])))
    y = np.pad(y, ((1, 1), (0, 0)))
    kernel = of["conv_depth"][0][..., 0]  # (3, 4)
    y = sum(y[i : i + 5] * kernel[i] for i in range(3))
    y = (y - mean) / np.sqrt(np.array([0.5, 1.0, 2.0, 3.0]) + 1e-3) * gamma + beta
    y = plain.dense(y / (1 + np.exp(-y)), *of["conv_point"])
    np.testing.assert_allclose(net([x[None], np.ones((1, 5), bool)])[0], x + y, atol=1e-4)


def test_a_block_is_its_five_steps():
    """Equation 1: halves of the feed-forwards, all of the rest, and a normalization of the sum."""
    config = conformer.Config(width=8, depth=1, heads=2, kernel=3, filters=4, subsampling=1, dropout=0.0)
    net = conformer.build((None, 20), 3, config)
    for layer in net.layers:
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization):
            plain.randomized(layer)
    parts = ("first_shrink", "attention", "conv_point", "second_shrink", "second_dense_add", "norm")
    names = ["stem_project", *(f"block0_{part}" for part in parts)]
    steps = keras.Model(net.input, [net.get_layer(name).output for name in names])
    inputs = {"features": RANDOM.normal(size=(1, 6, 20)).astype("float32"), "frames": np.array([6])}
    start, first, attention, conv, second, total, normed = (np.asarray(y)[0] for y in steps(inputs))
    np.testing.assert_allclose(total, start + 0.5 * first + attention + conv + 0.5 * second, atol=1e-4)
    norm = [np.asarray(weight) for weight in net.get_layer("block0_norm").weights]
    np.testing.assert_allclose(normed, plain.layer_norm(total, *norm, 1e-6), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 4}, "odd. Received: 4"),
        ({"subsampling": 3}, "1, 2 or 4. Received: 3"),
        ({"heads": 5}, r"Received: \(96, 5\)"),
        ({"depth": 0}, "must be positive"),
    ],
)
def test_refuses_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        conformer.build((None, 20), 3, dataclasses.replace(conformer.Config(), **changes))
