"""The Transformer's decoder (Vaswani et al. 2017, arXiv:1706.03762), which attends to its tokens and to an encoder."""

import math

from keras import initializers, layers

from tfrec.architectures.layers.attention import Attention
from tfrec.architectures.layers.cross_attention import CrossAttention
from tfrec.architectures.layers.masking import FrameMask
from tfrec.architectures.layers.positions import SinusoidalPosition
from tfrec.architectures.layers.transformer_block import feed_forward, residual
from tfrec.architectures.types import Tensor


def decoder_block(
    x: Tensor, memory: Tensor, keep: Tensor, heads: int, expansion: int, name: str, dropout: float = 0.0
) -> Tensor:
    """Causal self-attention, attention to a memory, and dense layers, each after a normalization.

    Args:
        x: tokens (batch, tokens, n).
        memory: (batch, steps, m).
        keep: bool (batch, steps), true for the steps to attend to.
        heads: number of heads, which share the n units.
        expansion: units of the hidden dense layer, as a multiple of n.
        name: start of the layers' names.
        dropout: fraction of the output of each part that training drops.

    Returns:
        (batch, tokens, n); a token never depends on later ones.
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


def transformer_decoder(
    encoded: Tensor,
    steps: Tensor,
    tokens: Tensor,
    outputs: int,
    depth: int,
    heads: int,
    expansion: int = 4,
    dropout: float = 0.0,
) -> Tensor:
    """Logits of the token after each given token.

    Args:
        encoded: the encoder's output (batch, steps, units).
        steps: int32 (batch,), number of true steps of each clip.
        tokens: int32 (batch, length), the tokens so far; 0 first.
        outputs: number of different tokens.
        depth: number of blocks.
        heads: number of attention heads, which share the units.
        expansion: units of the hidden dense layers, as a multiple of the encoder's.
        dropout: fraction of the output of each part that training drops.

    Returns:
        float32 (batch, length, outputs); a token's logits never depend on later tokens.
    """
    units = encoded.shape[-1]
    keep = FrameMask(name="decoder_mask")(encoded, steps)
    start = initializers.RandomNormal(stddev=units**-0.5)
    x = layers.Embedding(outputs, units, embeddings_initializer=start, name="decoder_tokens")(tokens)
    x = layers.Rescaling(math.sqrt(units), name="decoder_scale")(x)  # section 3.4: as large as the positions
    x = SinusoidalPosition(name="decoder_position")(x)
    if dropout:
        x = layers.Dropout(dropout, name="decoder_dropout")(x)
    for i in range(depth):
        x = decoder_block(x, encoded, keep, heads, expansion, f"decoder{i}", dropout)
    x = layers.LayerNormalization(epsilon=1e-6, name="decoder_norm")(x)
    return layers.Dense(outputs, dtype="float32", name="decoder_logits")(x)
