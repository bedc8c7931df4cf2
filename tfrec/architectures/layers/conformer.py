"""Parts of the Conformer (Gulati et al. 2020, arXiv:2005.08100): a subsampling front, relative attention, the block."""

import keras
from keras import layers, ops

from tfrec.architectures.base import MaskFrames, StrideMask, batch_norm, check
from tfrec.architectures.transformer import Attention, feed_forward, residual, sinusoids, small_normal


@keras.saving.register_keras_serializable("tfrec")
class RelativeAttention(Attention):
    """Self-attention that knows how far apart tokens are (Transformer-XL: Dai et al. 2019, arXiv:1901.02860).

    Arguments, call and shapes are those of `Attention`. A query fits a key by content and by the distance between the
    two, a sinusoid projected; `content_bias` and `place_bias` are the u and v of section 3.3, added to every query.
    Raises ValueError for an odd number of units.
    """

    def build(self, x_shape, keep_shape=None, bias_shape=None):
        """Makes the weights for the units that come in."""
        super().build(x_shape)
        check(x_shape[-1] % 2 == 0, "RelativeAttention takes an even number of units", x_shape[-1])
        self.wave_units = x_shape[-1]
        inside = self.heads * self.size
        self.place = layers.Dense(
            inside, use_bias=False, kernel_initializer=small_normal(), dtype=self.dtype_policy, name="place"
        )
        self.place.build((None, self.wave_units))
        shape = (self.heads, 1, self.size)
        self.content_bias = self.add_weight(shape=shape, initializer="zeros", name="content_bias")
        self.place_bias = self.add_weight(shape=shape, initializer="zeros", name="place_bias")

    def scores(self, query, key):
        """By content and by distance: (batch, heads, T, size) each -> (batch, heads, T, T)."""
        tokens, scale = ops.shape(query)[2], self.size**-0.5
        distances = ops.arange(tokens - 1, -tokens, -1)  # of the looker from what it looks at
        waves = ops.cast(sinusoids(distances, self.wave_units), query.dtype)
        places = ops.reshape(self.place(waves), (2 * tokens - 1, self.heads, self.size))
        by_place = ops.matmul(query + self.place_bias * scale, ops.transpose(places, (1, 2, 0)))
        content = ops.matmul(query + self.content_bias * scale, ops.swapaxes(key, -1, -2))
        return content + _shifted(by_place, tokens)


def _shifted(by_distance, tokens):
    """(batch, heads, T, 2 T - 1), by distance from T - 1 down -> (batch, heads, T, T), by which token is looked at.

    Row i needs entries T - 1 - i on. One column more makes rows 2 T long; read as rows of 2 T - 1, each starts one
    further to the left than the one before (appendix B of Transformer-XL).
    """
    heads = by_distance.shape[1]
    padded = ops.pad(by_distance, ((0, 0), (0, 0), (0, 0), (1, 0)))
    rows = ops.reshape(padded, (-1, heads, 2 * tokens, tokens))[:, :, 1:]
    return ops.reshape(rows, (-1, heads, tokens, 2 * tokens - 1))[..., :tokens]


def subsample(x, mask, units, filters, factor, name="stem", causal=False):
    """Two convolutions that shrink time by `factor` (1, 2 or 4) and frequency by 4, and a projection to `units`.

    Features (batch, frames, bins), 0 past the clip's end, and mask (batch, frames) -> (batch, ceil(frames / factor),
    units) and its mask. Padding is one frame on both sides whatever the length, so that windows always start at frame
    -1; "same" would start elsewhere for odd lengths. If `causal`, both frames are before the clip, and no window sees
    further than the first of the frames that become one. Raises ValueError for another factor.
    """
    check(factor in (1, 2, 4), "model.subsampling must be 1, 2 or 4", factor)
    x = layers.Reshape((-1, x.shape[2], 1), name=f"{name}_image")(x)
    for i, stride in enumerate({1: (1, 1), 2: (2, 1), 4: (2, 2)}[factor]):
        x = layers.ZeroPadding2D(((2, 0) if causal else (1, 1), (1, 1)), name=f"{name}_pad{i}")(x)
        x = layers.Conv2D(filters, 3, (stride, 2), activation="relu", name=f"{name}_conv{i}")(x)
        mask = mask if stride == 1 else StrideMask(stride, name=f"{name}_mask{i}")(mask)
        x = MaskFrames(name=f"{name}_clip{i}")(x, mask)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]), name=f"{name}_bands")(x)
    return layers.Dense(units, name=f"{name}_project")(x), mask


def convolution_module(x, mask, kernel, name, dropout=0.0):
    """Section 2.2: frames (batch, frames, n) plus what their `kernel` neighbors add; the mask is (batch, frames).

    Pointwise and gated, depthwise over true frames only, batch-normalized over them, swish, pointwise.
    """
    check(kernel % 2 == 1, "model.kernel must be odd", kernel)
    units = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
    gate = layers.Dense(units, "sigmoid", name=f"{name}_gate")(y)
    y = layers.Multiply(name=f"{name}_gated")([layers.Dense(units, name=f"{name}_expand")(y), gate])
    y = MaskFrames(name=f"{name}_mask")(y, mask)
    y = layers.DepthwiseConv1D(kernel, padding="same", use_bias=False, name=f"{name}_depth")(y)
    y = layers.Activation("silu", name=f"{name}_swish")(batch_norm(f"{name}_batch_norm")(y, mask=mask))
    y = MaskFrames(name=f"{name}_clip")(y, mask)  # and Keras takes the mask no further
    y = layers.Dense(units, name=f"{name}_point")(y)
    return residual(x, y, 0.0, name, dropout)


def conformer_block(x, mask, heads, kernel, name, expansion=4, dropout=0.0):
    """Half a feed-forward, attention, convolution, half a feed-forward, normalization (equation 1).

    Frames (batch, frames, n) and mask (batch, frames) -> the shape of the first; what the mask leaves out changes
    nothing. `heads` share the n units; `expansion` is how many times n the feed-forwards have inside.
    """
    units = x.shape[-1]
    half = {"activation": "silu", "share": 0.5, "dropout": dropout}
    x = feed_forward(x, expansion * units, f"{name}_first", **half)
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_attention_norm")(x)
    y = RelativeAttention(heads, units // heads, name=f"{name}_attention")(y, keep=mask)
    x = residual(x, y, 0.0, f"{name}_attention", dropout)
    x = convolution_module(x, mask, kernel, f"{name}_conv", dropout)
    x = feed_forward(x, expansion * units, f"{name}_second", **half)
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
