"""The Conformer block (Gulati et al. 2020, arXiv:2005.08100) and its convolution module."""

from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.masking import MaskFrames
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.layers.relative_attention import RelativeAttention
from tfrec.architectures.layers.transformer_block import feed_forward, residual
from tfrec.architectures.types import Tensor


def convolution_module(x: Tensor, mask: Tensor, kernel: int, name: str, dropout: float = 0.0) -> Tensor:
    """A gated pointwise, a depthwise and a pointwise convolution as a residual branch (section 2.2).

    Args:
        x: (batch, frames, n).
        mask: bool (batch, frames), true inside the clip; other frames affect neither the convolution nor the
            statistics of its batch normalization.
        kernel: odd number of frames that the depthwise convolution sees.
        name: start of the layers' names.
        dropout: fraction of the branch that training drops.

    Returns:
        (batch, frames, n).

    Raises:
        ValueError: for an even kernel.
    """
    check(kernel % 2 == 1, "model.kernel must be odd", kernel)
    units = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
    gate = layers.Dense(units, "sigmoid", name=f"{name}_gate")(y)
    y = layers.Multiply(name=f"{name}_gated")([layers.Dense(units, name=f"{name}_expand")(y), gate])
    y = MaskFrames(name=f"{name}_mask")(y, mask)
    y = layers.DepthwiseConv1D(kernel, padding="same", use_bias=False, name=f"{name}_depth")(y)
    y = layers.Activation("silu", name=f"{name}_swish")(batch_norm(f"{name}_batch_norm")(y, mask=mask))
    y = MaskFrames(name=f"{name}_clip")(y, mask)  # also ends Keras's implicit mask
    y = layers.Dense(units, name=f"{name}_point")(y)
    return residual(x, y, 0.0, name, dropout)


def conformer_block(
    x: Tensor, mask: Tensor, heads: int, kernel: int, name: str, expansion: int = 4, dropout: float = 0.0
) -> Tensor:
    """Half a feed-forward, attention, convolution, half a feed-forward, normalization (equation 1).

    Args:
        x: (batch, frames, n).
        mask: bool (batch, frames), true inside the clip; other frames change nothing.
        heads: number of attention heads, which share the n units.
        kernel: odd number of frames that the depthwise convolution sees.
        name: start of the layers' names.
        expansion: hidden units of each feed-forward, as a multiple of n.
        dropout: fraction of the output of each part that training drops.

    Returns:
        (batch, frames, n).
    """
    units = x.shape[-1]
    x = feed_forward(x, expansion * units, f"{name}_first", activation="silu", scale=0.5, dropout=dropout)
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_attention_norm")(x)
    y = RelativeAttention(heads, units // heads, name=f"{name}_attention")(y, keep=mask)
    x = residual(x, y, 0.0, f"{name}_attention", dropout)
    x = convolution_module(x, mask, kernel, f"{name}_conv", dropout)
    x = feed_forward(x, expansion * units, f"{name}_second", activation="silu", scale=0.5, dropout=dropout)
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
