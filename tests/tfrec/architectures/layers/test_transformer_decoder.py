"""The Transformer's decoder: looking back and listening, against plain numpy."""

import math

import keras
import numpy as np

from tests.tfrec.architectures import plain
from tfrec.architectures.conformer_block import RelativeAttention
from tfrec.architectures.transformer import Attention
from tfrec.architectures.transformer_decoder import CrossAttention, decoder_block

RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.normal(size=(2, 4, 6)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 5, 3)).astype("float32")
KEEP = np.arange(5) < np.array([[5], [2]])


def listened(x, memory, layer):
    """What a clip's tokens (tokens, units) find in a memory (steps, n), token by token."""
    of_query, of_pairs, combine = (
        [np.asarray(weight, "float64") for weight in part.weights]
        for part in (layer.project, layer.remember, layer.combine)
    )
    query, (key, value) = plain.dense(x, *of_query), np.split(plain.dense(memory, *of_pairs), 2, axis=-1)
    mixed = np.zeros_like(query)
    for head in range(layer.heads):
        here = slice(head * layer.size, (head + 1) * layer.size)
        for i in range(len(x)):
            mixed[i, here] = plain.softmax(key[:, here] @ query[i, here] / math.sqrt(layer.size)) @ value[:, here]
    return plain.dense(mixed, *combine)


def test_cross_attention():
    layer = CrossAttention(2, 4)
    layer.build(TOKENS.shape, MEMORY.shape)
    plain.randomized(layer)
    result = layer(TOKENS, MEMORY, keep=KEEP)
    assert layer.compute_output_shape(TOKENS.shape, MEMORY.shape) == tuple(result.shape)
    for x, memory, keep, mixed in zip(TOKENS, MEMORY, KEEP, result, strict=True):
        np.testing.assert_allclose(mixed, listened(x, memory[keep], layer), atol=1e-5)


def test_causal_attention_is_attention_over_what_came_before():
    for kind in (Attention, RelativeAttention):
        layer = kind(2, 3, causal=True)
        later = kind.from_config(layer.get_config())
        assert later.causal
        layer.build(TOKENS.shape)
        plain.randomized(layer)
        free = kind(2, 3)
        free.build(TOKENS.shape)
        free.set_weights(layer.get_weights())
        bias = RANDOM.normal(size=(2, 4, 4)).astype("float32")
        for given in (None, bias):
            result = np.asarray(layer(TOKENS, bias=given))
            for i in range(4):
                within = None if given is None else given[:, : i + 1, : i + 1]
                np.testing.assert_allclose(result[:, i], free(TOKENS[:, : i + 1], bias=within)[:, i], atol=1e-5)


def test_a_block_looks_back_listens_and_thinks():
    tokens, memory, keep = keras.Input((None, 6)), keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    net = keras.Model([tokens, memory, keep], decoder_block(tokens, memory, keep, 2, 3, "block"))
    of = {layer.name.removeprefix("block_"): layer for layer in net.layers if layer.weights}
    weights = {name: plain.randomized(layer) for name, layer in of.items()}
    result = net([TOKENS, MEMORY, KEEP])
    for clip, heard, inside, expected in zip(TOKENS, MEMORY, KEEP, result, strict=True):
        normed = plain.layer_norm(clip, *weights["norm0"], 1e-6)
        back = [plain.attention(normed[: i + 1], of["look_back"])[i] for i in range(len(clip))]
        x = clip + np.array(back)
        x = x + listened(plain.layer_norm(x, *weights["norm1"], 1e-6), heard[inside], of["listen"])
        hidden = plain.dense(plain.layer_norm(x, *weights["norm2"], 1e-6), *weights["expand"])
        x = x + plain.dense(np.maximum(hidden, 0), *weights["shrink"])
        np.testing.assert_allclose(expected, x, atol=1e-4)
