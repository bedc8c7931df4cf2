"""Self-attention with relative positions (Transformer-XL: Dai et al. 2019, arXiv:1901.02860)."""

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.layers.attention import Attention, truncated_normal
from tfrec.architectures.layers.positions import sinusoids
from tfrec.architectures.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfrec")
class RelativeAttention(Attention):
    """Self-attention by content and by distance: tokens (batch, tokens, n) -> (batch, tokens, `units`).

    A query's logit for a key is the sum of a product with the key and a product with the projected sinusoids of the
    distance between the two. `content_bias` and `place_bias`, the u and v of section 3.3, are added to every query.
    Arguments, call and shapes are those of `Attention`.

    Raises:
        ValueError: when it is built for an odd number of units.
    """

    def build(self, x_shape: Shape, keep_shape: Shape | None = None, bias_shape: Shape | None = None) -> None:
        """Creates the weights."""
        super().build(x_shape)
        self.wave_units = x_shape[-1] or 0
        check(self.wave_units % 2 == 0, "RelativeAttention takes an even number of units", self.wave_units)
        inside = self.heads * self.size
        self.place = layers.Dense(
            inside, use_bias=False, kernel_initializer=truncated_normal(), dtype=self.dtype_policy, name="place"
        )
        self.place.build((None, self.wave_units))
        shape = (self.heads, 1, self.size)
        self.content_bias = self.add_weight(shape=shape, initializer="zeros", name="content_bias")
        self.place_bias = self.add_weight(shape=shape, initializer="zeros", name="place_bias")

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Scaled queries and keys (batch, heads, T, size) -> logits by content and distance (batch, heads, T, T)."""
        tokens, scale = ops.shape(query)[2], self.size**-0.5
        distances = ops.arange(tokens - 1, -tokens, -1)  # from the key to the query
        waves = ops.cast(sinusoids(distances, self.wave_units), query.dtype)
        places = ops.reshape(self.place(waves), (2 * tokens - 1, self.heads, self.size))
        by_place = ops.matmul(query + self.place_bias * scale, ops.transpose(places, (1, 2, 0)))
        content = ops.matmul(query + self.content_bias * scale, ops.swapaxes(key, -1, -2))
        return content + _index_by_key(by_place, tokens)


def _index_by_key(by_distance: Tensor, tokens: Tensor) -> Tensor:
    """(batch, heads, T, 2 T - 1), by distance from T - 1 down -> (batch, heads, T, T), by the index of the key.

    Row i needs the entries from T - 1 - i on. One more column makes rows 2 T long; reshaped to rows of 2 T - 1, each
    row starts one entry further left than the one before (appendix B of Transformer-XL).
    """
    heads = by_distance.shape[1]
    padded = ops.pad(by_distance, ((0, 0), (0, 0), (0, 0), (1, 0)))
    rows = ops.reshape(padded, (-1, heads, 2 * tokens, tokens))[:, :, 1:]
    return ops.reshape(rows, (-1, heads, tokens, 2 * tokens - 1))[..., :tokens]
