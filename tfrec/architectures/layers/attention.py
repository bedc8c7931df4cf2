"""Parts of Transformers (Vaswani et al. 2017, arXiv:1706.03762): attention, an encoder's block, places on a grid."""

import math

import keras
import numpy as np
from keras import initializers, layers, ops

from tfrec.architectures.base import StochasticDepth, check

LOWEST = -1e9  # logit of a token that is not looked at; not infinite, so that nobody left to look at is not a NaN


def heads_of(units, size=64):
    """Number of attention heads for so many units, if each has `size`; at least one."""
    return max(1, round(units / size))


def check_heads(width, heads):
    """Raises ValueError unless the heads can share the width, in halves for sines and cosines."""
    check(width % (2 * heads) == 0, "model.width must be a multiple of twice model.heads", (width, heads))


def small_normal():
    """The initial weights of Transformers for images: normal, 0.02, cut at two deviations (arXiv:2012.12877)."""
    return initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("tfrec")
class Attention(layers.Layer):
    """Self-attention of `heads` heads of `size` units: tokens (batch, tokens, units) -> (batch, tokens, `units`).

    `units` is as many as come in unless given. Optional, in the call: `keep`, bool (batch, tokens), true for the tokens
    that may be looked at, or (batch, tokens, tokens), by who looks first; `bias`, (heads, tokens, tokens), which is
    added to the logits. If `causal`, nobody looks at a later token. `dropout` is the fraction of the attention that
    training leaves out. Queries, keys and values come from one product, with a bias unless `qkv_bias` is False; the
    softmax is float32 under any precision. Raises ValueError for sizes that are not positive.
    """

    PROJECTED = "qkv"  # what comes of the tokens by one product, a letter each

    def __init__(self, heads, size, units=None, qkv_bias=True, dropout=0.0, causal=False, **kwargs):
        super().__init__(**kwargs)
        check(heads > 0 and size > 0, "Attention's heads and size must be positive", (heads, size))
        self.heads, self.size, self.units, self.qkv_bias, self.dropout = heads, size, units, qkv_bias, dropout
        self.causal = causal
        policy = self.dtype_policy
        inside = len(self.PROJECTED) * heads * size
        self.project = layers.Dense(
            inside, use_bias=qkv_bias, kernel_initializer=small_normal(), dtype=policy, name=self.PROJECTED
        )
        self.drop = layers.Dropout(dropout, dtype=policy, name="dropout")

    def build(self, x_shape, keep_shape=None, bias_shape=None):
        """Makes the weights for the units that come in."""
        units = self.units or x_shape[-1]
        self.combine = layers.Dense(units, kernel_initializer=small_normal(), dtype=self.dtype_policy, name="combine")
        self.project.build(x_shape)
        self.combine.build((*x_shape[:-1], self.heads * self.size))

    def call(self, x, keep=None, bias=None, training=None):
        """Every token's mixture of all the values, by how well its query fits their keys."""
        tokens = ops.shape(x)[1]
        # Keras's dot_product_attention takes no dropout, and took up to 1.8 times as long on TensorFlow. Unstacked, not
        # indexed: the gradient of an index fills three arrays of this size with zeros, and that took twice as long.
        qkv = ops.reshape(self.project(x), (-1, tokens, 3, self.heads, self.size))
        query, key, value = ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3, axis=0)
        if self.causal:
            earlier = ops.arange(tokens)[:, None] >= ops.arange(tokens)[None, :]
            bias = ops.where(earlier, 0.0, LOWEST) if bias is None else ops.where(earlier, bias, LOWEST)
        return self.mixture(query, key, value, keep, bias, training)

    def mixture(self, query, key, value, keep, bias, training):
        """Queries (batch, heads, T, size), keys and values (batch, heads, S, size) -> tokens (batch, T, `units`)."""
        logits = ops.cast(self.scores(query * self.size**-0.5, key), "float32")
        if bias is not None:
            logits = logits + ops.cast(bias, "float32")
        if keep is not None:
            keep = keep[:, None, None, :] if len(keep.shape) == 2 else keep[:, None]
            logits = ops.where(keep, logits, LOWEST)
        weights = self.drop(ops.cast(ops.softmax(logits), value.dtype), training=training)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return self.combine(ops.reshape(mixed, (-1, ops.shape(mixed)[1], self.heads * self.size)))

    def scores(self, query, key):
        """How well queries, already scaled, fit keys: (batch, heads, tokens, size) each -> (batch, heads, T, T)."""
        return ops.matmul(query, ops.swapaxes(key, -1, -2))

    def compute_output_shape(self, x_shape, keep_shape=None, bias_shape=None):
        """(batch, tokens, units)."""
        return (*x_shape[:-1], self.units or x_shape[-1])

    def get_config(self):
        """The constructor's arguments."""
        names = ("heads", "size", "units", "qkv_bias", "dropout", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def residual(x, branch, rate, name, dropout=0.0):
    """`x` plus a branch, of which training leaves out the fraction `dropout`, and all of it at `rate`."""
    if dropout:
        branch = layers.Dropout(dropout, name=f"{name}_dropout")(branch)
    if rate:
        branch = StochasticDepth(rate, name=f"{name}_drop")(branch)
    return layers.Add(name=f"{name}_add")([x, branch])


def feed_forward(x, units, name, rate=0.0, epsilon=1e-6, dropout=0.0, norm_first=True, activation="gelu", share=1.0):
    """The second half of a block: tokens (batch, tokens, n) plus what two dense layers, through `units`, add.

    Only a `share` of it is added; for the rest see `transformer_block`.
    """
    norm = layers.LayerNormalization(epsilon=epsilon, name=f"{name}_norm2")
    y = norm(x) if norm_first else x
    y = layers.Dense(units, activation, kernel_initializer=small_normal(), name=f"{name}_expand")(y)
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_expand_dropout")(y)
    y = layers.Dense(x.shape[-1], kernel_initializer=small_normal(), name=f"{name}_shrink")(y)
    if share != 1:
        y = layers.Rescaling(share, name=f"{name}_share")(y)
    x = residual(x, y, rate, f"{name}_dense", dropout)
    return x if norm_first else norm(x)


def transformer_block(x, attention, units, name, rate=0.0, epsilon=1e-6, dropout=0.0, norm_first=True, **inputs):
    """An encoder's block with the normalization before each half, as in ViT (arXiv:2010.11929).

    Tokens (batch, tokens, n) -> the same shape. `attention` are the arguments of the `Attention` layer, `inputs` the
    optional ones of its call; `units` those between the dense layers, `rate` that of stochastic depth, of each half,
    `dropout` the fraction that training leaves out of what each dense layer and the attention give. Without
    `norm_first` the normalization comes after each sum, as in the first Transformer.
    """
    norm = layers.LayerNormalization(epsilon=epsilon, name=f"{name}_norm1")
    y = Attention(**attention, name=f"{name}_attention")(norm(x) if norm_first else x, **inputs)
    x = residual(x, y, rate, f"{name}_attention", dropout)
    x = x if norm_first else norm(x)
    return feed_forward(x, units, name, rate, epsilon, dropout, norm_first)


def sinusoids(places, units):
    """Sines and cosines of places (n,), any numbers, at wavelengths from 2 pi to 10,000 x 2 pi: (n, units), float32.

    Section 3.5 of Vaswani et al., with all the sines before all the cosines. `units` must be even.
    """
    rates = 10000.0 ** (-np.arange(units // 2, dtype="float32") * 2 / units)
    angles = ops.cast(places, "float32")[:, None] * rates[None, :]
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


@keras.saving.register_keras_serializable("tfrec")
class SinusoidalPosition(layers.Layer):
    """Adds a fixed wave of each place, for any number of tokens: (batch, tokens, units) -> the same shape.

    Raises ValueError for an odd number of units.
    """

    def build(self, x_shape):
        """Checks the units."""
        check(x_shape[-1] % 2 == 0, "SinusoidalPosition takes an even number of units", x_shape[-1])

    def call(self, x):
        """The tokens, each with its place."""
        return x + ops.cast(sinusoids(ops.arange(ops.shape(x)[1]), x.shape[-1]), x.dtype)

    def compute_output_shape(self, x_shape):
        """The input's shape."""
        return x_shape


@keras.saving.register_keras_serializable("tfrec")
class FirstToken(layers.Layer):
    """The token in front, after all it has looked at: (batch, tokens, units) -> (batch, units)."""

    def call(self, x):
        """What `ClassToken` put there."""
        return x[:, 0]

    def compute_output_shape(self, x_shape):
        """(batch, units)."""
        return (x_shape[0], x_shape[2])


@keras.saving.register_keras_serializable("tfrec")
class KeepClass(layers.Layer):
    """The mask of tokens that got a class token in front: bool (batch, tokens) -> (batch, 1 + tokens)."""

    def call(self, keep):
        """The class token is always looked at."""
        return ops.pad(keep, ((0, 0), (1, 0)), constant_values=True)

    def compute_output_shape(self, keep_shape):
        """One token more."""
        return (keep_shape[0], None if keep_shape[1] is None else keep_shape[1] + 1)


@keras.saving.register_keras_serializable("tfrec")
class ClassToken(layers.Layer):
    """Puts a learned token in front: (batch, tokens, units) -> (batch, 1 + tokens, units)."""

    def build(self, x_shape):
        """Makes the token."""
        self.token = self.add_weight(shape=(x_shape[-1],), initializer=small_normal(), name="token")

    def call(self, x):
        """The same token before each example's own."""
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1)

    def compute_output_shape(self, x_shape):
        """One token more."""
        return (x_shape[0], None if x_shape[1] is None else x_shape[1] + 1, x_shape[2])


@keras.saving.register_keras_serializable("tfrec")
class PositionEmbedding(layers.Layer):
    """Adds what is learned of each place: tokens (batch, `prefix` + rows x columns, units) -> the same shape.

    `grid` is (rows, columns), row by row in the tokens; `prefix` tokens, such as one for the class, come before it and
    have places of their own. `stddev` is that of the initial weights. Raises ValueError for another number of tokens.
    """

    def __init__(self, grid, prefix=0, stddev=0.02, **kwargs):
        super().__init__(**kwargs)
        self.grid, self.prefix, self.stddev = tuple(grid), prefix, stddev

    def build(self, x_shape):
        """Makes the embedding."""
        tokens = self.prefix + math.prod(self.grid)
        check(x_shape[1] == tokens, f"PositionEmbedding of this grid takes {tokens} tokens", x_shape[1])
        start = initializers.TruncatedNormal(stddev=self.stddev)
        self.embedding = self.add_weight(shape=(tokens, x_shape[-1]), initializer=start, name="embedding")

    def call(self, x):
        """The tokens, each with its place."""
        return x + self.embedding

    def adapted(self, array):
        """The weight of a layer with another grid, resampled to this one's: (tokens, units) -> (tokens, units).

        Images of another size have the same picture in more or fewer patches, so the learned places lie between the old
        ones (arXiv:2010.11929, section 3.2). The other grid is taken to be a square. Raises ValueError where it cannot
        be, or where the units differ.
        """
        array = np.asarray(array)
        units = self.embedding.shape[-1]
        check(
            array.ndim == 2 and array.shape[1] == units,
            f"A position embedding that is adapted must be (tokens, {units})",
            array.shape,
        )
        side = math.isqrt(max(0, len(array) - self.prefix))
        check(
            side > 0 and side * side == len(array) - self.prefix,
            f"A position embedding that is adapted must have {self.prefix} and then a square of tokens",
            array.shape,
        )
        places = array[self.prefix :].reshape(side, side, units)
        places = resampled(places, self.grid, "bicubic").reshape(-1, units)
        return np.concatenate([array[: self.prefix], places]).astype(array.dtype)

    def compute_output_shape(self, x_shape):
        """The input's shape."""
        return x_shape

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "grid": self.grid, "prefix": self.prefix, "stddev": self.stddev}


def resampled(array, grid, interpolation):
    """An array (rows, columns, n) on another grid: (*grid, n), float32; smoothed first where that has fewer places."""
    tensor = ops.convert_to_tensor(array[None], "float32")
    result = ops.image.resize(tensor, grid, interpolation=interpolation, antialias=True, data_format="channels_last")
    return ops.convert_to_numpy(result)[0]
