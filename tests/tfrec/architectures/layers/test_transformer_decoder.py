"""The Transformer's decoder against plain NumPy: cross-attention, and a block."""

import math

import keras
import numpy as np

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.cross_attention import CrossAttention
from tfrec.architectures.layers.transformer_decoder import decoder_block

RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.normal(size=(2, 4, 6)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 5, 3)).astype("float32")
KEEP = np.arange(5) < np.array([[5], [2]])


def cross_attention(x, memory, layer):
    """A clip's tokens (tokens, units) attend to a memory (steps, n), token by token."""
    of_query, of_pairs, combine = (
        [np.asarray(weight, "float64") for weight in part.weights]
        for part in (layer.project, layer.remember, layer.combine)
    )
    query, (key, value) = reference.dense(x, *of_query), np.split(reference.dense(memory, *of_pairs), 2, axis=-1)
    mixed = np.zeros_like(query)
    for head in range(layer.heads):
        part = slice(head * layer.size, (head + 1) * layer.size)
        for i in range(len(x)):
            logits = key[:, part] @ query[i, part] / math.sqrt(layer.size)
            mixed[i, part] = reference.softmax(logits) @ value[:, part]
    return reference.dense(mixed, *combine)


def test_cross_attention():
    layer = CrossAttention(2, 4)
    layer.build(TOKENS.shape, MEMORY.shape)
    reference.randomize(layer)
    result = layer(TOKENS, MEMORY, keep=KEEP)
    assert layer.compute_output_shape(TOKENS.shape, MEMORY.shape) == tuple(result.shape)
    for x, memory, keep, mixed in zip(TOKENS, MEMORY, KEEP, result, strict=True):
        np.testing.assert_allclose(mixed, cross_attention(x, memory[keep], layer), atol=1e-5)


def test_block():
    tokens, memory, keep = keras.Input((None, 6)), keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    net = keras.Model([tokens, memory, keep], decoder_block(tokens, memory, keep, 2, 3, "block"))
    of = {layer.name.removeprefix("block_"): layer for layer in net.layers if layer.weights}
    weights = {name: reference.randomize(layer) for name, layer in of.items()}
    result = net([TOKENS, MEMORY, KEEP])
    for clip, encoded, inside, expected in zip(TOKENS, MEMORY, KEEP, result, strict=True):
        normed = reference.layer_norm(clip, *weights["norm0"], 1e-6)
        x = clip + np.array([reference.attention(normed[: i + 1], of["look_back"])[i] for i in range(len(clip))])
        x = x + cross_attention(reference.layer_norm(x, *weights["norm1"], 1e-6), encoded[inside], of["listen"])
        hidden = reference.dense(reference.layer_norm(x, *weights["norm2"], 1e-6), *weights["expand"])
        x = x + reference.dense(np.maximum(hidden, 0), *weights["shrink"])
        np.testing.assert_allclose(expected, x, atol=1e-4)
