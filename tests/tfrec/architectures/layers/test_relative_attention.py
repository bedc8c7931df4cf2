"""Attention with relative positions against plain NumPy."""

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.relative_attention import RelativeAttention

RANDOM = np.random.default_rng(0)


def wave(distance, units):
    rates = 10000.0 ** (-np.arange(units // 2) * 2 / units)
    return np.concatenate([np.sin(distance * rates), np.cos(distance * rates)])


@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_by_its_equations(tokens):
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
        query, key, value = np.split(reference.dense(clip, *map(np.asarray, layer.project.weights)), 3, axis=-1)
        expected = np.zeros_like(query)
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            for i in range(tokens):
                logits = [
                    (query[i, part] + content_bias[head, 0]) @ key[j, part]
                    + (query[i, part] + place_bias[head, 0]) @ (wave(i - j, 6) @ place)[part]
                    for j in range(tokens)
                ]
                logits = np.where(inside, np.array(logits) / np.sqrt(3), -np.inf)
                expected[i, part] = reference.softmax(logits) @ value[:, part]
        np.testing.assert_allclose(mixed, reference.dense(expected, *map(np.asarray, layer.combine.weights)), atol=1e-4)


def test_is_saved_and_loaded(tmp_path):
    features = keras.Input((None, 6))
    net = keras.Model(features, RelativeAttention(2, 3)(features))
    net.save(tmp_path / "net.keras")
    x = RANDOM.normal(size=(2, 4, 6)).astype("float32")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "net.keras")(x), net(x), atol=1e-6)


def test_depends_on_distance_not_on_position():
    layer = RelativeAttention(2, 3)
    clip = RANDOM.normal(size=(1, 4, 6)).astype("float32")
    later = np.concatenate([np.zeros((1, 3, 6), "float32"), clip], axis=1)
    keep = np.arange(7)[None] >= 3
    np.testing.assert_allclose(layer(later, keep=keep)[:, 3:], layer(clip), atol=1e-5)


def test_refuses_an_odd_number_of_units():
    with pytest.raises(ValueError, match=r"even number of units\. Received: 5"):
        RelativeAttention(2, 3).build((None, 4, 5))
