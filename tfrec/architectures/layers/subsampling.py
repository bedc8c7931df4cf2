"""Convolutional subsampling of frames before an encoder (Gulati et al. 2020, arXiv:2005.08100, figure 1)."""

from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.masking import MaskFrames, StrideMask
from tfrec.architectures.types import Tensor


def subsample(
    x: Tensor, mask: Tensor, units: int, filters: int, factor: int, name: str = "stem", causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Two convolutions that shrink time by `factor` and frequency by 4, and a projection to `units`.

    The padding is one frame on both sides whatever the length, so that windows always start at frame -1; "same" would
    start elsewhere for odd lengths.

    Args:
        x: features (batch, frames, bins), 0 past each clip's end.
        mask: bool (batch, frames), true inside the clip.
        units: of the output.
        filters: channels of the convolutions.
        factor: frames per step: 1, 2 or 4.
        name: start of the layers' names.
        causal: whether both frames of padding are before the clip, so that no window sees further than the first of
            the frames of its step.

    Returns:
        (batch, ceil(frames / factor), units) and its mask.

    Raises:
        ValueError: for another factor.
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
