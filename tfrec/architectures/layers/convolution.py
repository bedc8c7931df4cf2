"""Convolutions with normalization and activation, and squeeze-and-excitation, for networks of images."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from keras import initializers, layers

from tfrec.architectures.types import Tensor

Item = TypeVar("Item")
MakeNorm = Callable[[str], layers.Layer]  # from a layer's name to a normalization


def make_divisible(number: float, divisor: int = 8) -> int:
    """Rounds a number of channels to a multiple of `divisor`.

    The rule of MobileNetV2's authors (github.com/tensorflow/models, slim/nets/mobilenet), which MobileNetV3 and
    EfficientNet share.

    >>> [make_divisible(number) for number in (12, 18)]
    [16, 24]

    Args:
        number: of channels.
        divisor: of the result.

    Returns:
        The nearest multiple, at most a tenth below the number.
    """
    rounded = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * number else rounded


def select_evenly(items: Sequence[Item], number: int) -> list[Item]:
    """Leaves out or repeats items evenly, in their order.

    >>> select_evenly("abcd", 2)
    ['a', 'c']

    Args:
        items: to select from.
        number: of items to return.

    Returns:
        The selected items.
    """
    return [items[i * len(items) // number] for i in range(number)]


def convolution(
    x: Tensor,
    filters: int,
    size: int | tuple[int, int],
    name: str,
    strides: int = 1,
    padding: str = "same",
    norm: MakeNorm | None = None,
    activation: str | None = "relu",
) -> Tensor:
    """A convolution with He initialization (He et al. 2015, arXiv:1502.01852), a normalization and an activation.

    Args:
        x: (batch, height, width, channels).
        filters: output channels.
        size: of the kernel.
        name: start of the layers' names.
        strides: over height and width.
        padding: "same" or "valid".
        norm: from a layer's name to the normalization; without one, the convolution has a bias.
        activation: None for none.

    Returns:
        (batch, height', width', filters).
    """
    conv = layers.Conv2D(
        filters, size, strides, padding, use_bias=norm is None, kernel_initializer="he_normal", name=f"{name}_conv"
    )
    return _normalize_and_activate(conv(x), name, norm, activation)


def depthwise(
    x: Tensor, size: int, name: str, strides: int = 1, norm: MakeNorm | None = None, activation: str | None = "relu"
) -> Tensor:
    """A depthwise convolution, a normalization and an activation.

    Args:
        x: (batch, height, width, channels).
        size: of the kernel.
        name: start of the layers' names.
        strides: over height and width.
        norm: from a layer's name to the normalization; without one, the convolution has a bias.
        activation: None for none.

    Returns:
        (batch, height', width', channels).
    """
    # Keras counts the inputs of a depthwise kernel over all channels; its outputs are size x size.
    scale = initializers.VarianceScaling(2.0, mode="fan_out")
    conv = layers.DepthwiseConv2D(
        size, strides, "same", use_bias=norm is None, depthwise_initializer=scale, name=f"{name}_conv"
    )
    return _normalize_and_activate(conv(x), name, norm, activation)


def _normalize_and_activate(x: Tensor, name: str, norm: MakeNorm | None, activation: str | None) -> Tensor:
    x = x if norm is None else norm(f"{name}_norm")(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_{activation}")(x)


def squeeze_excite(x: Tensor, units: int, name: str, activation: str = "relu", gate: str = "sigmoid") -> Tensor:
    """Squeeze-and-excitation: scales each channel by a factor computed from the whole map (arXiv:1709.01507).

    Args:
        x: (batch, height, width, channels).
        units: of the hidden layer between the channels' means and their factors.
        name: start of the layers' names.
        activation: of the hidden layer.
        gate: activation of the factors, with values in [0, 1].

    Returns:
        (batch, height, width, channels).
    """
    factor = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    factor = layers.Conv2D(units, 1, activation=activation, kernel_initializer="he_normal", name=f"{name}_reduce")(
        factor
    )
    factor = layers.Conv2D(x.shape[-1], 1, activation=gate, name=f"{name}_expand")(factor)
    return layers.Multiply(name=f"{name}_scale")([x, factor])
