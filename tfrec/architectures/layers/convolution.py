"""Blocks that several families of convolutional networks share."""

from typing import NamedTuple

from keras import initializers, layers


def divisible(number, divisor=8):
    """The multiple of `divisor` next to a number of channels, never more than a tenth below it.

    The rule of MobileNetV2's authors (github.com/tensorflow/models, slim/nets/mobilenet), which MobileNetV3 and
    EfficientNet share.
    """
    rounded = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * number else rounded


def stretched(items, number):
    """`number` of the items in their order, evenly left out or repeated."""
    return [items[i * len(items) // number] for i in range(number)]


def convolution(x, filters, size, name, strides=1, padding="same", norm=None, activation="relu"):
    """A convolution, whose weights keep the size of the signal (He et al. 2015, arXiv:1502.01852), and its activation.

    `norm` makes a layer that goes between the two from its name; without it the convolution has a bias. `activation`
    may be None.
    """
    conv = layers.Conv2D(
        filters, size, strides, padding, use_bias=norm is None, kernel_initializer="he_normal", name=f"{name}_conv"
    )
    return _finish(conv(x), name, norm, activation)


def depthwise(x, size, name, strides=1, norm=None, activation="relu"):
    """A convolution of each channel by itself, else as `convolution`."""
    # Keras counts the inputs of a depthwise kernel over all channels; its outputs are size x size.
    scale = initializers.VarianceScaling(2.0, mode="fan_out")
    conv = layers.DepthwiseConv2D(
        size, strides, "same", use_bias=norm is None, depthwise_initializer=scale, name=f"{name}_conv"
    )
    return _finish(conv(x), name, norm, activation)


def _finish(x, name, norm, activation):
    x = x if norm is None else norm(f"{name}_norm")(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_{activation}")(x)


def squeeze_excite(x, units, name, activation="relu", gate="sigmoid"):
    """Weighs the channels of a map by what is in the whole of it (Hu et al. 2018, arXiv:1709.01507).

    (batch, height, width, channels) -> the same shape. The means of the channels go through `units` to a factor each.
    """
    factor = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    factor = layers.Conv2D(units, 1, activation=activation, kernel_initializer="he_normal", name=f"{name}_reduce")(
        factor
    )
    factor = layers.Conv2D(x.shape[-1], 1, activation=gate, name=f"{name}_expand")(factor)
    return layers.Multiply(name=f"{name}_scale")([x, factor])


class Conv(NamedTuple):
    """A step of an inception's branch: a convolution."""

    filters: int
    size: int | tuple[int, int] = 1
    strides: int = 1


class Pool(NamedTuple):
    """A step of an inception's branch: a pooling of 3x3."""

    kind: str = "max"  # or average
    strides: int = 1


def inception(x, branches, name, convolve, padding="same"):
    """Branches side by side, their channels one after the other (Szegedy et al. 2014, arXiv:1409.4842).

    A branch is a list of steps, `Conv` or `Pool`, the last of which may be a tuple of two `Conv`s side by side.
    `convolve` is a `convolution` without its strides and padding; `padding` is that of the steps that stride.
    """
    ends = []
    for b, steps in enumerate(branches):
        end = x
        for i, step in enumerate(steps):
            end = _step(end, step, f"{name}_branch{b}_{i}", convolve, padding)
        ends.append(end)
    return layers.Concatenate(name=f"{name}_concat")(ends)


def _step(x, step, name, convolve, padding):
    padding = padding if getattr(step, "strides", 1) > 1 else "same"
    if isinstance(step, Conv):
        return convolve(x, step.filters, step.size, name, strides=step.strides, padding=padding)
    if isinstance(step, Pool):
        kind = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}[step.kind]
        return kind(3, strides=step.strides, padding=padding, name=f"{name}_pool")(x)
    halves = [_step(x, half, f"{name}{side}", convolve, padding) for half, side in zip(step, "ab", strict=True)]
    return layers.Concatenate(name=f"{name}_concat")(halves)
