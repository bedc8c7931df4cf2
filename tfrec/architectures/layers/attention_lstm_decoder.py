"""The speller of Listen, Attend and Spell (Chan et al. 2015, arXiv:1508.01211): an LSTM that looks while it writes."""

import keras
from keras import layers, ops

from tfrec.architectures.base import FrameMask, check
from tfrec.architectures.transformer import LOWEST


@keras.saving.register_keras_serializable("tfrec")
class Speller(layers.Layer):
    """Stacked LSTMs that look at a memory after each token and carry what they saw to the next.

    Tokens (batch, length, n), memory (batch, steps, m) and `keep`, bool (batch, steps), true for the steps that may be
    looked at -> (batch, length, units + m): the upper LSTM's state and what it looked at, after each token, none of a
    later one. The first LSTM reads a token and what was looked at before it (equation 7); the fit of a state s and a
    step h is phi(s) psi(h), both a dense layer of `attention` units and a tanh (equation 9); what is looked at is the
    mean of the steps, weighted by the softmax of their fit (equations 10 and 11), in float32 at least.
    Raises ValueError for sizes that are not positive.
    """

    def __init__(self, units, depth=2, attention=128, **kwargs):
        super().__init__(**kwargs)
        check(
            min(units, depth, attention) > 0,
            "Speller's units, depth and attention must be positive",
            (units, depth, attention),
        )
        self.units, self.depth, self.attention = units, depth, attention
        # XLA takes no gradient of a loop whose greatest length it is not told, which TensorFlow's `scan` does not do.
        self.supports_jit = False
        policy = self.dtype_policy
        self.cells = [layers.LSTMCell(units, dtype=policy, name=f"lstm{i}") for i in range(depth)]
        self.query = layers.Dense(attention, "tanh", dtype=policy, name="query")
        self.key = layers.Dense(attention, "tanh", dtype=policy, name="key")

    def build(self, tokens_shape, memory_shape, keep_shape=None):
        """Makes the weights for the units that come in."""
        below = tokens_shape[-1] + memory_shape[-1]
        for cell in self.cells:
            cell.build((None, below))
            below = self.units
        self.query.build((None, self.units))
        self.key.build(memory_shape)

    def call(self, tokens, memory, keep):
        """States and what they looked at, token by token."""
        memory = ops.where(keep[:, :, None], memory, ops.zeros((), memory.dtype))  # nothing times NaN is NaN
        key = self.key(memory)

        def step(carry, token):
            *states, seen = carry
            x, after = ops.concatenate([token, seen], axis=-1), []
            for i, cell in enumerate(self.cells):
                x, state = cell(x, states[2 * i : 2 * i + 2])
                after.extend(state)
            carry = (*after, self._look(x, key, memory, keep))
            return carry, carry

        batch = ops.shape(tokens)[0]
        sizes = [self.units] * (2 * self.depth) + [memory.shape[-1]]
        start = tuple(ops.zeros((batch, size), self.compute_dtype) for size in sizes)
        _, carries = ops.scan(step, start, ops.swapaxes(tokens, 0, 1))
        return ops.swapaxes(ops.concatenate([carries[-3], carries[-1]], axis=-1), 0, 1)

    def _look(self, state, key, memory, keep):
        """A state (batch, units) -> the mean of the steps (batch, m), by how well their keys fit it."""
        fit = ops.matmul(key, self.query(state)[:, :, None])[:, :, 0]
        fit = ops.cast(fit, keras.backend.result_type(fit.dtype, "float32"))
        weights = ops.cast(ops.softmax(ops.where(keep, fit, LOWEST)), memory.dtype)
        return ops.matmul(weights[:, None, :], memory)[:, 0]

    def compute_output_shape(self, tokens_shape, memory_shape, keep_shape=None):
        """(batch, length, units + m)."""
        return (*tokens_shape[:-1], self.units + memory_shape[-1])

    def get_config(self):
        """The constructor's arguments."""
        names = ("units", "depth", "attention")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def lstm_decoder(encoded, steps, tokens, num_classes, units, depth, width, dropout=0.0):
    """Logits of the token after each given one: float32 (batch, length, num_classes).

    `encoded` is the encoder's result (batch, steps, n), `steps` (batch,) how many of each clip are true, `tokens` int32
    (batch, length) what was said so far, 0 first. A token never depends on later ones. `units` are those of each of
    `depth` LSTMs, `width` those of a token, of the attention, and of the layer before the logits.
    """
    keep = FrameMask(name="decoder_mask")(encoded, steps)
    x = layers.Embedding(num_classes, width, name="decoder_tokens")(tokens)
    x = layers.Dropout(dropout, name="decoder_dropout0")(x)
    x = Speller(units, depth, width, name="decoder_spell")(x, encoded, keep)
    x = layers.Dropout(dropout, name="decoder_dropout1")(x)
    x = layers.Dense(width, "tanh", name="decoder_mix")(x)
    return layers.Dense(num_classes, dtype="float32", name="decoder_logits")(x)
