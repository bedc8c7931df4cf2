"""The LSTM decoder with attention of Listen, Attend and Spell (Chan et al. 2015, arXiv:1508.01211)."""

from typing import Any

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.layers.attention import MASKED_LOGIT
from tfrec.architectures.layers.masking import FrameMask
from tfrec.architectures.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfrec")
class AttentionLSTMDecoder(layers.Layer):
    """Stacked LSTMs that attend to a memory after each token; the context is an input at the next token.

    The first LSTM reads a token and the context before it (equation 7). The energy of a state s and a step h is
    phi(s) psi(h), both a dense layer of `attention` units and a tanh (equation 9). The context is the mean of the
    steps, weighted by the softmax of their energies (equations 10 and 11), which is computed in float32 at least.

    Args:
        units: of each LSTM.
        depth: number of LSTMs.
        attention: units of phi and psi.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for sizes that are not positive.
    """

    def __init__(self, units: int, depth: int = 2, attention: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(
            min(units, depth, attention) > 0,
            "AttentionLSTMDecoder's units, depth and attention must be positive",
            (units, depth, attention),
        )
        self.units, self.depth, self.attention = units, depth, attention
        # XLA takes no gradient of a loop without a maximum length, and `ops.scan` sets none on TensorFlow.
        self.supports_jit = False
        policy = self.dtype_policy
        self.cells = [layers.LSTMCell(units, dtype=policy, name=f"lstm{i}") for i in range(depth)]
        self.query = layers.Dense(attention, "tanh", dtype=policy, name="query")
        self.key = layers.Dense(attention, "tanh", dtype=policy, name="key")

    def build(self, tokens_shape: Shape, memory_shape: Shape, keep_shape: Shape | None = None) -> None:
        """Creates the weights."""
        below = (tokens_shape[-1] or 0) + (memory_shape[-1] or 0)
        for cell in self.cells:
            cell.build((None, below))
            below = self.units
        self.query.build((None, self.units))
        self.key.build(memory_shape)

    def call(self, tokens: Tensor, memory: Tensor, keep: Tensor) -> Tensor:
        """Decodes token by token.

        Args:
            tokens: embeddings (batch, length, n).
            memory: (batch, steps, m).
            keep: bool (batch, steps), true for the steps to attend to.

        Returns:
            (batch, length, units + m): the last LSTM's state and the context after each token, which never depend on
            later tokens.
        """
        memory = ops.where(keep[:, :, None], memory, ops.zeros((), memory.dtype))  # a weight of 0 would keep NaN
        key = self.key(memory)

        def step(carry: tuple[Tensor, ...], token: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
            *states, context = carry
            x, new_states = ops.concatenate([token, context], axis=-1), []
            for i, cell in enumerate(self.cells):
                x, state = cell(x, states[2 * i : 2 * i + 2])
                new_states.extend(state)
            carry = (*new_states, self._attend(x, key, memory, keep))
            return carry, carry

        batch = ops.shape(tokens)[0]
        sizes = [self.units] * (2 * self.depth) + [memory.shape[-1]]
        start = tuple(ops.zeros((batch, size), self.compute_dtype) for size in sizes)
        _, carries = ops.scan(step, start, ops.swapaxes(tokens, 0, 1))
        return ops.swapaxes(ops.concatenate([carries[-3], carries[-1]], axis=-1), 0, 1)

    def _attend(self, state: Tensor, key: Tensor, memory: Tensor, keep: Tensor) -> Tensor:
        """A state (batch, units) -> the context (batch, m)."""
        energy = ops.matmul(key, self.query(state)[:, :, None])[:, :, 0]
        energy = ops.cast(energy, keras.backend.result_type(energy.dtype, "float32"))
        weights = ops.cast(ops.softmax(ops.where(keep, energy, MASKED_LOGIT)), memory.dtype)
        return ops.matmul(weights[:, None, :], memory)[:, 0]

    def compute_output_shape(self, tokens_shape: Shape, memory_shape: Shape, keep_shape: Shape | None = None) -> Shape:
        """(batch, length, units + m)."""
        return (*tokens_shape[:-1], self.units + (memory_shape[-1] or 0))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("units", "depth", "attention")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def lstm_decoder(
    encoded: Tensor,
    steps: Tensor,
    tokens: Tensor,
    outputs: int,
    units: int,
    depth: int,
    width: int,
    dropout: float = 0.0,
) -> Tensor:
    """Logits of the token after each given token.

    Args:
        encoded: the encoder's output (batch, steps, n).
        steps: int32 (batch,), number of true steps of each clip.
        tokens: int32 (batch, length), the tokens so far; 0 first.
        outputs: number of different tokens.
        units: of each LSTM.
        depth: number of LSTMs.
        width: units of a token's embedding, of the attention, and of the dense layer before the logits.
        dropout: fraction, after the embedding and after the LSTMs.

    Returns:
        float32 (batch, length, outputs); a token's logits never depend on later tokens.
    """
    keep = FrameMask(name="decoder_mask")(encoded, steps)
    x = layers.Embedding(outputs, width, name="decoder_tokens")(tokens)
    x = layers.Dropout(dropout, name="decoder_dropout0")(x)
    x = AttentionLSTMDecoder(units, depth, width, name="decoder_spell")(x, encoded, keep)
    x = layers.Dropout(dropout, name="decoder_dropout1")(x)
    x = layers.Dense(width, "tanh", name="decoder_mix")(x)
    return layers.Dense(outputs, dtype="float32", name="decoder_logits")(x)
