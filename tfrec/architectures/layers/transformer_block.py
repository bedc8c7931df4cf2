"""The encoder block of Transformers (Vaswani et al. 2017, arXiv:1706.03762) and its parts."""

from typing import Any

from keras import layers

from tfrec.architectures.layers.attention import Attention, truncated_normal
from tfrec.architectures.layers.stochastic_depth import StochasticDepth
from tfrec.architectures.types import Tensor


def residual(x: Tensor, branch: Tensor, rate: float, name: str, dropout: float = 0.0) -> Tensor:
    """`x` plus a branch.

    Args:
        x: the shortcut.
        branch: of the same shape.
        rate: probability of dropping the whole branch of an example in training (stochastic depth).
        name: start of the layers' names.
        dropout: fraction of the branch's values that training drops.

    Returns:
        The sum.
    """
    if dropout:
        branch = layers.Dropout(dropout, name=f"{name}_dropout")(branch)
    if rate:
        branch = StochasticDepth(rate, name=f"{name}_drop")(branch)
    return layers.Add(name=f"{name}_add")([x, branch])


def feed_forward(
    x: Tensor,
    units: int,
    name: str,
    rate: float = 0.0,
    epsilon: float = 1e-6,
    dropout: float = 0.0,
    norm_first: bool = True,
    activation: str = "gelu",
    scale: float = 1.0,
) -> Tensor:
    """The second half of a block: two dense layers on each token, as a residual branch.

    Args:
        x: tokens (batch, tokens, n).
        units: of the hidden dense layer.
        name: start of the layers' names.
        rate: of stochastic depth.
        epsilon: of the normalization.
        dropout: fraction of each dense layer's output that training drops.
        norm_first: whether the normalization comes before the dense layers, or after the sum.
        activation: of the hidden layer.
        scale: of the branch before the sum.

    Returns:
        (batch, tokens, n).
    """
    norm = layers.LayerNormalization(epsilon=epsilon, name=f"{name}_norm2")
    y = norm(x) if norm_first else x
    y = layers.Dense(units, activation, kernel_initializer=truncated_normal(), name=f"{name}_expand")(y)
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_expand_dropout")(y)
    y = layers.Dense(x.shape[-1], kernel_initializer=truncated_normal(), name=f"{name}_shrink")(y)
    if scale != 1:
        y = layers.Rescaling(scale, name=f"{name}_share")(y)
    x = residual(x, y, rate, f"{name}_dense", dropout)
    return x if norm_first else norm(x)


def transformer_block(
    x: Tensor,
    attention: dict[str, Any],
    units: int,
    name: str,
    rate: float = 0.0,
    epsilon: float = 1e-6,
    dropout: float = 0.0,
    norm_first: bool = True,
    **inputs: Tensor,
) -> Tensor:
    """An encoder block: self-attention, then `feed_forward`.

    Args:
        x: tokens (batch, tokens, n).
        attention: arguments of the `Attention` layer.
        units: of the hidden dense layer.
        name: start of the layers' names.
        rate: of stochastic depth, in each half.
        epsilon: of the normalizations.
        dropout: fraction of the output of the attention and of each dense layer that training drops.
        norm_first: whether the normalization comes before each half, as in ViT (arXiv:2010.11929), or after each sum,
            as in the first Transformer.
        **inputs: optional inputs of the attention's call, `keep` and `bias`.

    Returns:
        (batch, tokens, n).
    """
    norm = layers.LayerNormalization(epsilon=epsilon, name=f"{name}_norm1")
    y = Attention(**attention, name=f"{name}_attention")(norm(x) if norm_first else x, **inputs)
    x = residual(x, y, rate, f"{name}_attention", dropout)
    x = x if norm_first else norm(x)
    return feed_forward(x, units, name, rate, epsilon, dropout, norm_first)
