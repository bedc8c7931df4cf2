"""The LSTM decoder with attention against plain NumPy, and its gradient against finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.architectures import numpy_reference as reference
from tfrec.architectures.layers.attention_lstm_decoder import AttentionLSTMDecoder

RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.normal(size=(2, 4, 3)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 5, 6)).astype("float32")
KEEP = np.arange(5) < np.array([[5], [2]])


def decoder(depth=2, **arguments):
    layer = AttentionLSTMDecoder(4, depth, 7, **arguments)
    layer.build(TOKENS.shape, MEMORY.shape)
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.normal(scale=0.4, size=weight.shape))
    return layer


def lstm(x, state, kernel, recurrent, bias):
    """Hochreiter & Schmidhuber's cell with forget gates, in Keras's order of them."""
    inside, forget, new, out = np.split(x @ kernel + state[0] @ recurrent + bias, 4)
    inside, forget, out = (1 / (1 + np.exp(-gate)) for gate in (inside, forget, out))
    memory = forget * state[1] + inside * np.tanh(new)
    return out * np.tanh(memory), memory


@pytest.mark.parametrize("depth", [1, 2])
def test_by_its_equations(depth):
    layer = decoder(depth)
    result = np.asarray(layer(TOKENS, MEMORY, KEEP))
    of_cells = [[np.asarray(weight, "float64") for weight in cell.weights] for cell in layer.cells]
    query, key = ([np.asarray(weight, "float64") for weight in part.weights] for part in (layer.query, layer.key))
    for clip, memory, keep, output in zip(TOKENS, MEMORY, KEEP, result, strict=True):
        memory = memory[keep]
        states, context = [(np.zeros(4), np.zeros(4))] * depth, np.zeros(6)
        for token, expected in zip(clip, output, strict=True):
            x = np.concatenate([token, context])
            for i, weights in enumerate(of_cells):
                states[i] = lstm(x, states[i], *weights)
                x = states[i][0]
            energy = np.tanh(reference.dense(memory, *key)) @ np.tanh(reference.dense(x, *query))
            context = reference.softmax(energy) @ memory
            np.testing.assert_allclose(expected, np.concatenate([x, context]), atol=1e-5)


def test_gradient_is_that_of_finite_differences():
    layer = decoder(dtype="float64")
    tokens, memory = TOKENS.astype("float64"), MEMORY.astype("float64")
    weights = RANDOM.normal(size=(2, 4, 10))
    variables = [weight.value for weight in layer.weights]

    @tf.function
    def loss(tokens, memory):
        return tf.reduce_sum(layer(tokens, memory, KEEP) * weights)

    with tf.GradientTape() as tape:
        inputs = [tf.constant(tokens), tf.constant(memory)]
        tape.watch(inputs)
        value = loss(*inputs)
    gradients = tape.gradient(value, inputs + variables)
    for variable, gradient in zip(variables, gradients[2:], strict=True):
        gradient, start = np.asarray(gradient), np.asarray(variable)
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        step = np.zeros_like(start)
        step[place] = 1e-5
        slopes = []
        for sign in (1, -1):
            variable.assign(start + sign * step)
            slopes.append(float(loss(*inputs)) * sign / 2e-5)
        variable.assign(start)
        assert abs(gradient[place]) > 1e-3
        assert sum(slopes) == pytest.approx(gradient[place], rel=1e-5)
    direction = [RANDOM.normal(size=value.shape) for value in (tokens, memory)]
    ends = [float(loss(*(x + s * d for x, d in zip(inputs, direction, strict=True)))) for s in (1e-5, -1e-5)]
    slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients[:2], direction, strict=True))
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope, rel=1e-5)
    assert not np.asarray(gradients[1])[~KEEP].any()


def test_masked_steps_change_nothing():
    garbage = np.where(KEEP[:, :, None], MEMORY, np.nan)
    np.testing.assert_array_equal(decoder()(TOKENS, garbage, KEEP), decoder()(TOKENS, MEMORY, KEEP))
    assert np.isfinite(decoder()(TOKENS, MEMORY, np.zeros((2, 5), bool))).all()


def test_graph_equals_eager_for_any_length():
    layer = decoder()
    shapes = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None, 6)), tf.TensorSpec((None, None), "bool")]
    graph = tf.function(layer, input_signature=shapes)
    for length in (1, 4):
        expected = layer(TOKENS[:, :length], MEMORY, KEEP)
        np.testing.assert_allclose(graph(TOKENS[:, :length], MEMORY, KEEP), expected, atol=1e-6)
    compiled = tf.function(layer, jit_compile=True)
    np.testing.assert_allclose(compiled(TOKENS, MEMORY, KEEP), layer(TOKENS, MEMORY, KEEP), atol=1e-5)


def test_declares_that_xla_takes_no_gradient():
    assert not decoder().supports_jit


def test_half_precision():
    layer = decoder(dtype="mixed_float16")
    result = layer(TOKENS, MEMORY, KEEP)
    assert result.dtype == "float16"
    np.testing.assert_allclose(result, decoder()(TOKENS, MEMORY, KEEP), atol=2e-2)


def test_is_saved_and_loaded(tmp_path):
    tokens, memory, keep = keras.Input((None, 3)), keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    layer = decoder()
    net = keras.Model([tokens, memory, keep], layer(tokens, memory, keep))
    assert net.output.shape == (None, None, 10)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded([TOKENS, MEMORY, KEEP]), layer(TOKENS, MEMORY, KEEP))


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"must be positive. Received: \(4, 0, 7\)"):
        AttentionLSTMDecoder(4, 0, 7)
