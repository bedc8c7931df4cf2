"""The Inception block: parallel branches of convolutions and poolings (Szegedy et al. 2014, arXiv:1409.4842)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from keras import layers

from tfrec.architectures.types import Tensor


class Conv(NamedTuple):
    """A step of a branch: a convolution."""

    filters: int
    size: int | tuple[int, int] = 1
    strides: int = 1


class Pool(NamedTuple):
    """A step of a branch: a 3x3 pooling."""

    kind: str = "max"  # or average
    strides: int = 1


Step = Conv | Pool | tuple[Conv, Conv]  # two convolutions of one input, whose channels are concatenated
POOLINGS = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def inception(
    x: Tensor, branches: Sequence[Sequence[Step]], name: str, convolve: Callable[..., Tensor], padding: str = "same"
) -> Tensor:
    """Applies branches to one input and concatenates their channels.

    Args:
        x: (batch, height, width, channels).
        branches: the steps of each branch; only a last step may be a tuple of two convolutions.
        name: start of the layers' names.
        convolve: called as `convolution` of `layers.convolution`.
        padding: of the steps that stride; other steps have "same".

    Returns:
        (batch, height', width', the sum of the branches' channels).
    """
    ends = []
    for b, steps in enumerate(branches):
        end = x
        for i, step in enumerate(steps):
            end = _apply(end, step, f"{name}_branch{b}_{i}", convolve, padding)
        ends.append(end)
    return layers.Concatenate(name=f"{name}_concat")(ends)


def _apply(x: Tensor, step: Step, name: str, convolve: Callable[..., Tensor], padding: str) -> Tensor:
    """Adds one step of a branch."""
    if isinstance(step, Conv):
        padding = padding if step.strides > 1 else "same"
        return convolve(x, step.filters, step.size, name, strides=step.strides, padding=padding)
    if isinstance(step, Pool):
        padding = padding if step.strides > 1 else "same"
        return POOLINGS[step.kind](3, strides=step.strides, padding=padding, name=f"{name}_pool")(x)
    halves = [_apply(x, half, f"{name}{side}", convolve, padding) for half, side in zip(step, "ab", strict=True)]
    return layers.Concatenate(name=f"{name}_concat")(halves)
