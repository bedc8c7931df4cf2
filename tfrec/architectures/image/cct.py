"""Compact convolutional Transformer, CCT-7/3x1 (Hassani et al. 2021, arXiv:2104.05704).

Convolutions make the tokens; a mean of all tokens, with learned weights, stands in for the class token. Positions are
learned. The published network has one 3x3 convolution and is for 32 pixels: it is the small stem here. The large one is
that of the authors' CCT-7/7x2 for 224 pixels, two 7x7 convolutions; all else is the same.
"""

import dataclasses

import keras
from keras import layers, ops

from tfrec.architectures.base import ImageModelConfig, check, check_image, drop_rates
from tfrec.architectures.transformer import PositionEmbedding, heads_of, small_normal, transformer_block

TAKES = ("image",)
DEPTH, WIDTH = 7, 256
EPSILON = 1e-5
# (filters, size, strides) of the convolutions; a pooling of 3x3 that halves the map follows each.
SMALL = ((WIDTH, 3, 1),)
LARGE = ((64, 7, 2), (WIDTH, 7, 2))


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """A Transformer's encoder over what convolutions see."""

    stochastic_depth: float = 0.1  # how often the last residual branch is left out; the others less, linearly
    attention_dropout: float = 0.1  # fraction of the attention's weights

    def __post_init__(self):
        super().__post_init__()
        check(
            0 <= self.attention_dropout < 1,
            "model.attention_dropout must be at least 0 and below 1",
            self.attention_dropout,
        )


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    `input_shape` is `(height, width, channels)`, all known. Raises ValueError for another rank.
    """
    check_image("cct", input_shape)
    features = x = keras.Input(input_shape, name="features")
    for i, (filters, size, strides) in enumerate(SMALL if config.small_stem(input_shape) else LARGE):
        x = layers.Conv2D(
            config.channels(filters),
            size,
            strides,
            "same",
            use_bias=False,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"stem_conv{i}",
        )(x)
        x = layers.MaxPooling2D(3, 2, padding="same", name=f"stem_pool{i}")(x)
    grid, units = x.shape[1:3], x.shape[-1]
    x = layers.Reshape((-1, units), name="stem_tokens")(x)
    x = PositionEmbedding(grid, stddev=0.2, name="stem_position")(x)
    attention = {"heads": heads_of(units), "size": 64, "qkv_bias": False, "dropout": config.attention_dropout}
    for i, rate in enumerate(drop_rates(config, config.repeats(DEPTH))):
        x = transformer_block(x, attention, 2 * units, f"block{i}", rate, EPSILON)
    x = layers.LayerNormalization(epsilon=EPSILON, name="final_norm")(x)
    x = SequencePooling(name="final_pool")(x)
    x = layers.Identity(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="cct")


@keras.saving.register_keras_serializable("tfrec")
class SequencePooling(layers.Layer):
    """Mean of all tokens, weighted by what each holds (arXiv:2104.05704, section 3.2).

    (batch, tokens, units) -> (batch, units). The weights are the softmax over the tokens of one product; a bias, which
    the authors' code has, would change nothing.
    """

    def build(self, x_shape):
        """Makes the vector that each token is multiplied by."""
        self.kernel = self.add_weight(shape=(x_shape[-1], 1), initializer=small_normal(), name="kernel")

    def call(self, x):
        """Softmax in float32, as in attention."""
        logits = ops.cast(ops.matmul(x, self.kernel), "float32")
        weights = ops.cast(ops.softmax(logits, axis=1), x.dtype)
        return ops.squeeze(ops.matmul(ops.swapaxes(weights, 1, 2), x), axis=1)

    def compute_output_shape(self, x_shape):
        """Without the tokens."""
        return (x_shape[0], x_shape[2])
