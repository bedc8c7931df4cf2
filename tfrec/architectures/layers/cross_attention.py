"""Multi-head attention from tokens to the output of an encoder (Vaswani et al. 2017, arXiv:1706.03762)."""

from typing import Any

import keras
from keras import layers, ops

from tfrec.architectures.layers.attention import Attention, truncated_normal
from tfrec.architectures.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfrec")
class CrossAttention(Attention):
    """Attention from tokens (batch, tokens, n) to a memory (batch, steps, m) -> (batch, tokens, `units`).

    Arguments are those of `Attention`.
    """

    PROJECTED = "q"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remember = layers.Dense(
            2 * self.heads * self.size,
            use_bias=self.qkv_bias,
            kernel_initializer=truncated_normal(),
            dtype=self.dtype_policy,
            name="kv",
        )

    def build(self, x_shape: Shape, memory_shape: Shape, keep_shape: Shape | None = None) -> None:  # type: ignore[override]
        """Creates the weights."""
        super().build(x_shape)
        self.remember.build(memory_shape)

    def call(  # type: ignore[override]
        self, x: Tensor, memory: Tensor, keep: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Attends from every token to every step of the memory.

        Args:
            x: (batch, tokens, n).
            memory: (batch, steps, m).
            keep: bool (batch, steps), true for the steps to attend to.
            training: whether dropout is active.

        Returns:
            (batch, tokens, `units`).
        """
        shape = (self.heads, self.size)
        query = ops.transpose(ops.reshape(self.project(x), (-1, ops.shape(x)[1], *shape)), (0, 2, 1, 3))
        pairs = ops.reshape(self.remember(memory), (-1, ops.shape(memory)[1], 2, *shape))
        key, value = ops.unstack(ops.transpose(pairs, (2, 0, 3, 1, 4)), 2, axis=0)
        return self.mix(query, key, value, keep, None, training)

    def compute_output_shape(self, x_shape: Shape, memory_shape: Shape, keep_shape: Shape | None = None) -> Shape:  # type: ignore[override]
        """(batch, tokens, units)."""
        return super().compute_output_shape(x_shape)
