"""Parameters, multiply-adds and latency of networks."""

import keras
import pytest
import tensorflow as tf
from keras import layers, ops

from tfrec import architectures
from tfrec.evaluation.metrics import cost


def net(shape, *stack):
    x = inputs = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("name", "billions", "parameters"),
    [
        ("MobileNetV2", 0.300, 3_504_872),  # Sandler et al. 2018, arXiv:1801.04381, table 4: 300 million
        ("ResNet50", 3.86, 25_583_592),  # He et al. 2015, arXiv:1512.03385, table 1: 3.8 billion
        ("VGG16", 15.47, 138_357_544),  # ibid., section 4.1: 15.3 billion in convolutions; 0.12 are dense
    ],
)
def test_published_figures(name, billions, parameters):
    published = getattr(keras.applications, name)(weights=None)
    assert cost.count_multiply_adds(published) / 1e9 == pytest.approx(billions, abs=0.005)
    assert cost.count_parameters(published) == parameters


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: net((8, 8, 16), layers.Conv2D(32, 3, strides=2, padding="same")), 16 * 32 * 9 * 16),
        (lambda: net((8, 8, 16), layers.Conv2D(32, 3, groups=4, padding="same")), 64 * 32 * 9 * 4),
        (lambda: net((8, 8, 16), layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)), 64 * 32 * 9),
        (lambda: net((8, 8, 16), layers.SeparableConv2D(32, 3, padding="same")), 64 * 16 * 9 + 64 * 16 * 32),
        (lambda: net((8, 8, 16), layers.Conv2DTranspose(4, 3, strides=2, padding="same")), 64 * 16 * 9 * 4),
        (lambda: net((8, 16), layers.Conv1D(4, 3, padding="causal")), 8 * 16 * 3 * 4),
        (lambda: net((8, 8, 8, 2), layers.Conv3D(4, 3, padding="same")), 512 * 27 * 2 * 4),
        (lambda: net((16,), layers.Dense(5)), 16 * 5),
        (lambda: net((10, 16), layers.EinsumDense("...c,cd->...d", (5,))), 10 * 16 * 5),
        (lambda: net((10, 16), lambda x: ops.matmul(ops.transpose(x, (0, 2, 1)), x)), 16 * 10 * 16),
        (lambda: net((10, 16), lambda x: layers.MultiHeadAttention(4, 8)(x, x)), 4 * 10 * 16 * 32 + 2 * 100 * 32),
        (lambda: net((10, 16), layers.GRU(7)), 10 * 3 * 7 * (16 + 7)),
        (lambda: net((8, 8, 16), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D()), 0),
    ],
)
def test_multiply_adds_of_layers(network, expected):
    assert cost.count_multiply_adds(network()) == expected


def test_transposed_products():
    """The contracted axis is another one where an operand is transposed."""

    @tf.function
    def products(a, b):
        return tf.matmul(a, b, transpose_a=True), tf.matmul(a[None], b[None], transpose_a=True)

    graph = products.get_concrete_function(tf.TensorSpec([3, 4]), tf.TensorSpec([3, 5])).graph
    assert cost._count_graph(graph) == 2 * 3 * 4 * 5


def test_einsum_with_several_axes_and_ellipses():
    @tf.function
    def product(a, b):
        return tf.einsum("...abc,...cbd->...ad", a, b)

    graph = product.get_concrete_function(tf.TensorSpec([6, 2, 3, 4]), tf.TensorSpec([6, 4, 3, 5])).graph
    assert cost._count_graph(graph) == 6 * 2 * 3 * 4 * 5


def test_multiply_adds_of_clips_of_any_length():
    config = architectures.default_config("lstm")
    lstm = architectures.build_network(config, (None, 40), 10, "sequence")
    step = 4 * 128 * (40 + 128) + 4 * 128 * (128 + 128)
    assert cost.count_multiply_adds(lstm, frames=98) == 98 * step + 128 * 10
    with pytest.raises(ValueError, match="give `frames`"):
        cost.count_multiply_adds(net((None, 16), layers.Conv1D(4, 3)))


def test_unknown_products_are_not_counted_as_zero():
    def unknown(x):
        return tf.raw_ops.Dilation2D(
            input=x, filter=tf.zeros((3, 3, 2)), strides=[1] * 4, rates=[1] * 4, padding="SAME"
        )

    def quantized(x):
        return tf.raw_ops.SparseMatMul(a=x, b=tf.zeros((2, 3)))

    assert (
        cost.count_multiply_adds(net((4, 4, 2), layers.Lambda(unknown, output_shape=(4, 4, 2)))) == 0
    )  # a dilation has no products
    with pytest.raises(ValueError, match="SparseMatMul"):
        cost.count_multiply_adds(net((2,), layers.Lambda(quantized, output_shape=(3,))))


def test_parameters_are_the_trainable_ones():
    network = net((4, 4, 3), layers.Conv2D(5, 1), layers.BatchNormalization())
    assert cost.count_parameters(network) == 3 * 5 + 5 + 2 * 5


def test_latency(monkeypatch):
    monkeypatch.setattr(cost, "MAX_LATENCY_S", 0.0)
    small, large = (net((64,), layers.Dense(units), layers.Dense(units)) for units in (1, 4000))
    assert 0 < cost.measure_latency_ms(small) < cost.measure_latency_ms(large)
    lstm = architectures.build_network(architectures.default_config("lstm"), (None, 40), 10, "sequence")
    assert cost.measure_latency_ms(lstm, frames=5) > 0
