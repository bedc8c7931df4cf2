"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762)."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras
from keras import initializers, layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.types import Shape, Tensor

_RECORDED: contextvars.ContextVar[list[Tensor] | None] = contextvars.ContextVar("recorded", default=None)
MASKED_LOGIT = -1e9  # of a token that is not attended to; finite, so that a softmax over such tokens alone is not NaN


@contextlib.contextmanager
def recorded_weights() -> Iterator[list[Tensor]]:
    """A list to which every attention layer that is called meanwhile appends its weights (batch, heads, T, S)."""
    found: list[Tensor] = []
    token = _RECORDED.set(found)
    try:
        yield found
    finally:
        _RECORDED.reset(token)


def num_heads(units: int, size: int = 64) -> int:
    """Number of attention heads for a number of units.

    >>> num_heads(192)
    3

    Args:
        units: of all heads together.
        size: units of one head.

    Returns:
        Units divided by size, rounded; at least 1.
    """
    return max(1, round(units / size))


def check_heads(width: int, heads: int) -> None:
    """Checks that heads can share a width, in halves for sines and cosines.

    Args:
        width: units of all heads together.
        heads: number of heads.

    Raises:
        ValueError: unless the width is a multiple of twice the heads.
    """
    check(width % (2 * heads) == 0, "model.width must be a multiple of twice model.heads", (width, heads))


def truncated_normal() -> initializers.TruncatedNormal:
    """Initial weights of Transformers for images: standard deviation 0.02, cut at two of them (arXiv:2012.12877)."""
    return initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("tfrec")
class Attention(layers.Layer):
    """Self-attention: tokens (batch, tokens, n) -> (batch, tokens, `units`).

    Queries, keys and values come from one product. The softmax is computed in float32 under any precision.

    Args:
        heads: number of heads.
        size: units of each head's queries, keys and values.
        units: units of the output; None is as many as the input has.
        qkv_bias: whether the product for queries, keys and values has a bias.
        dropout: fraction of the attention weights that training drops.
        causal: whether each token attends to itself and earlier tokens only.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for `heads` or `size` that are not positive.
    """

    PROJECTED = "qkv"  # one letter for each projection of the tokens in the first product

    def __init__(
        self,
        heads: int,
        size: int,
        units: int | None = None,
        qkv_bias: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check(heads > 0 and size > 0, "Attention's heads and size must be positive", (heads, size))
        self.heads, self.size, self.units, self.qkv_bias, self.dropout = heads, size, units, qkv_bias, dropout
        self.causal = causal
        policy = self.dtype_policy
        inside = len(self.PROJECTED) * heads * size
        self.project = layers.Dense(
            inside, use_bias=qkv_bias, kernel_initializer=truncated_normal(), dtype=policy, name=self.PROJECTED
        )
        self.drop = layers.Dropout(dropout, dtype=policy, name="dropout")

    def build(self, x_shape: Shape, keep_shape: Shape | None = None, bias_shape: Shape | None = None) -> None:
        """Creates the weights."""
        units = self.units or x_shape[-1]
        self.combine = layers.Dense(
            units, kernel_initializer=truncated_normal(), dtype=self.dtype_policy, name="combine"
        )
        self.project.build(x_shape)
        self.combine.build((*x_shape[:-1], self.heads * self.size))

    def call(
        self, x: Tensor, keep: Tensor | None = None, bias: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Attends from every token to every token.

        Args:
            x: (batch, tokens, n).
            keep: bool (batch, tokens), true for the tokens to attend to, or (batch, tokens, tokens) with queries first.
            bias: (heads, tokens, tokens), added to the logits of the softmax.
            training: whether dropout is active.

        Returns:
            (batch, tokens, `units`).
        """
        tokens = ops.shape(x)[1]
        # Keras's dot_product_attention takes no dropout, and took up to 1.8 times as long on TensorFlow. Unstacked, not
        # indexed: the gradient of an index fills three arrays of this size with zeros, and that took twice as long.
        qkv = ops.reshape(self.project(x), (-1, tokens, 3, self.heads, self.size))
        query, key, value = ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3, axis=0)
        if self.causal:
            earlier = ops.arange(tokens)[:, None] >= ops.arange(tokens)[None, :]
            bias = ops.where(earlier, 0.0, MASKED_LOGIT) if bias is None else ops.where(earlier, bias, MASKED_LOGIT)
        return self.mix(query, key, value, keep, bias, training)

    def mix(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        keep: Tensor | None,
        bias: Tensor | None,
        training: bool | None,
    ) -> Tensor:
        """Queries (batch, heads, T, size), keys and values (batch, heads, S, size) -> tokens (batch, T, `units`)."""
        logits = ops.cast(self.scores(query * self.size**-0.5, key), "float32")
        if bias is not None:
            logits = logits + ops.cast(bias, "float32")
        if keep is not None:
            keep = keep[:, None, None, :] if len(keep.shape) == 2 else keep[:, None]
            logits = ops.where(keep, logits, MASKED_LOGIT)
        weights = ops.softmax(logits)
        if (recorded := _RECORDED.get()) is not None:
            recorded.append(weights)
        weights = self.drop(ops.cast(weights, value.dtype), training=training)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return self.combine(ops.reshape(mixed, (-1, ops.shape(mixed)[1], self.heads * self.size)))

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Scaled queries (batch, heads, T, size) and keys (batch, heads, S, size) -> logits (batch, heads, T, S)."""
        return ops.matmul(query, ops.swapaxes(key, -1, -2))

    def compute_output_shape(
        self, x_shape: Shape, keep_shape: Shape | None = None, bias_shape: Shape | None = None
    ) -> Shape:
        """(batch, tokens, units)."""
        return (*x_shape[:-1], self.units or x_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("heads", "size", "units", "qkv_bias", "dropout", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
