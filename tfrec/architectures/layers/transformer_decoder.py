"""The Transformer's decoder (Vaswani et al. 2017, arXiv:1706.03762): what was said so far, and what was heard."""

import math

import keras
from keras import initializers, layers, ops

from tfrec.architectures.base import FrameMask
from tfrec.architectures.transformer import Attention, SinusoidalPosition, feed_forward, residual, small_normal


@keras.saving.register_keras_serializable("tfrec")
class CrossAttention(Attention):
    """Tokens (batch, tokens, units) look at a memory (batch, steps, n) -> (batch, tokens, `units`).

    Arguments are those of `Attention`. In the call `keep`, bool (batch, steps), is true for the steps of the memory
    that may be looked at.
    """

    PROJECTED = "q"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.remember = layers.Dense(
            2 * self.heads * self.size,
            use_bias=self.qkv_bias,
            kernel_initializer=small_normal(),
            dtype=self.dtype_policy,
            name="kv",
        )

    def build(self, x_shape, memory_shape, keep_shape=None):
        """Makes the weights for the units that come in."""
        super().build(x_shape)
        self.remember.build(memory_shape)

    def call(self, x, memory, keep=None, training=None):
        """Every token's mixture of the memory's values, by how well its query fits their keys."""
        shape = (self.heads, self.size)
        query = ops.transpose(ops.reshape(self.project(x), (-1, ops.shape(x)[1], *shape)), (0, 2, 1, 3))
        pairs = ops.reshape(self.remember(memory), (-1, ops.shape(memory)[1], 2, *shape))
        key, value = ops.unstack(ops.transpose(pairs, (2, 0, 3, 1, 4)), 2, axis=0)
        return self.mixture(query, key, value, keep, None, training)

    def compute_output_shape(self, x_shape, memory_shape, keep_shape=None):
        """(batch, tokens, units)."""
        return super().compute_output_shape(x_shape)


def decoder_block(x, memory, keep, heads, expansion, name, dropout=0.0):
    """Looks back, looks at the memory, and thinks: tokens (batch, tokens, n) -> the same shape, none of a later token.

    The normalization comes before each of the three. `memory` is (batch, steps, units) and `keep` bool (batch, steps).
    """
    units = x.shape[-1]
    size = units // heads
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm0")(x)
    y = Attention(heads, size, causal=True, name=f"{name}_look_back")(y)
    x = residual(x, y, 0.0, f"{name}_look_back", dropout)
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    y = CrossAttention(heads, size, name=f"{name}_listen")(y, memory, keep)
    x = residual(x, y, 0.0, f"{name}_listen", dropout)
    return feed_forward(x, expansion * units, name, dropout=dropout, activation="relu")


def transformer_decoder(encoded, steps, tokens, num_classes, depth, heads, expansion=4, dropout=0.0):
    """Logits of the token after each given one: float32 (batch, length, num_classes).

    `encoded` is the encoder's result (batch, steps, units), `steps` (batch,) how many of each clip are true, `tokens`
    int32 (batch, length) what was said so far, 0 first. A token never depends on later ones.
    """
    units = encoded.shape[-1]
    keep = FrameMask(name="decoder_mask")(encoded, steps)
    start = initializers.RandomNormal(stddev=units**-0.5)
    x = layers.Embedding(num_classes, units, embeddings_initializer=start, name="decoder_tokens")(tokens)
    x = layers.Rescaling(math.sqrt(units), name="decoder_scale")(x)  # section 3.4: as large as the places
    x = SinusoidalPosition(name="decoder_position")(x)
    if dropout:
        x = layers.Dropout(dropout, name="decoder_dropout")(x)
    for i in range(depth):
        x = decoder_block(x, encoded, keep, heads, expansion, f"decoder{i}", dropout)
    x = layers.LayerNormalization(epsilon=1e-6, name="decoder_norm")(x)
    return layers.Dense(num_classes, dtype="float32", name="decoder_logits")(x)
