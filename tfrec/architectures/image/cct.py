"""Compact convolutional Transformer, CCT-7/3x1 (Hassani et al. 2021, arXiv:2104.05704).

Convolutions compute the tokens; a mean of all tokens with learned weights replaces the class token. Positions are
learned. The published network has one 3x3 convolution and is for 32 pixels: it is the small stem here. The large stem
is that of the authors' CCT-7/7x2 for 224 pixels, two 7x7 convolutions; everything else is the same.
"""

import dataclasses

import keras
from keras import layers, ops

from tfrec.architectures.config import ImageModelConfig, check, check_image
from tfrec.architectures.layers.attention import num_heads, truncated_normal
from tfrec.architectures.layers.positions import PositionEmbedding
from tfrec.architectures.layers.stochastic_depth import drop_rates
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"cct_7_3x1": 4_804_520}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "stochastic_depth": "0..0.3"}
DEPTH, WIDTH = 7, 256
EPSILON = 1e-5
# (filters, size, strides) of the convolutions; a 3x3 pooling that halves the map follows each.
SMALL = ((WIDTH, 3, 1),)
LARGE = ((64, 7, 2), (WIDTH, 7, 2))


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """A Transformer's encoder over the output of convolutions."""

    stochastic_depth: float = 0.1  # probability of dropping the last residual branch; rises linearly with depth
    attention_dropout: float = 0.1  # fraction of the attention's weights

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            0 <= self.attention_dropout < 1,
            "model.attention_dropout must be at least 0 and below 1",
            self.attention_dropout,
        )


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape.
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
    attention = {"heads": num_heads(units), "size": 64, "qkv_bias": False, "dropout": config.attention_dropout}
    for i, rate in enumerate(drop_rates(config, config.repeats(DEPTH))):
        x = transformer_block(x, attention, 2 * units, f"block{i}", rate, EPSILON)
    x = layers.LayerNormalization(epsilon=EPSILON, name="final_norm")(x)
    x = SequencePooling(name="final_pool")(x)
    x = layers.Identity(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="cct")


@keras.saving.register_keras_serializable("tfrec")
class SequencePooling(layers.Layer):
    """Mean of all tokens with weights computed from each (arXiv:2104.05704, section 3.2).

    (batch, tokens, units) -> (batch, units). The weights are the softmax over the tokens of one product; a bias, which
    the authors' code has, would change nothing.
    """

    def build(self, x_shape: Shape) -> None:
        """Creates the vector that each token is multiplied by."""
        self.kernel = self.add_weight(shape=(x_shape[-1], 1), initializer=truncated_normal(), name="kernel")

    def call(self, x: Tensor) -> Tensor:
        """Computes the softmax in float32, as attention does."""
        logits = ops.cast(ops.matmul(x, self.kernel), "float32")
        weights = ops.cast(ops.softmax(logits, axis=1), x.dtype)
        return ops.squeeze(ops.matmul(ops.swapaxes(weights, 1, 2), x), axis=1)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """(batch, units)."""
        return (x_shape[0], x_shape[2])
