"""Convolutions over maps of time and frequency, masked past each clip's end; also for images, without a mask."""

from keras import layers

from tfrec.architectures.layers.masking import MaskFrames, StrideMask
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Tensor


def to_image(x: Tensor) -> Tensor:
    """Features (batch, frames, bins) -> an image of one channel (batch, frames, bins, 1)."""
    return layers.Reshape((-1, x.shape[2], 1), name="image")(x)


def flatten_bins(x: Tensor) -> Tensor:
    """A map (batch, frames, bins, channels) -> (batch, frames, bins x channels)."""
    # A mean over time follows; the frequency at which a channel is active is kept.
    return layers.Reshape((-1, x.shape[2] * x.shape[3]), name="bands")(x)


def frame_vectors(x: Tensor, mask: Tensor, units: int) -> Tensor:
    """One vector for each frame of a map.

    Args:
        x: (batch, frames, bins, channels).
        mask: bool (batch, frames), true inside the clip.
        units: of a dense layer over each frame; 0 is no dense layer.

    Returns:
        (batch, frames, units), or (batch, frames, bins x channels) without a dense layer.
    """
    x = flatten_bins(x)
    if units:
        x = layers.Dense(units, use_bias=False, name="frames_dense")(x)
        x = layers.ReLU(name="frames_relu")(batch_norm("frames_norm")(x, mask=mask))
        x = MaskFrames(name="frames_mask")(x, mask)
    return x


def frame_blocks(x: Tensor, mask: Tensor, blocks: int, dropout: float, size: int = 5) -> Tensor:
    """Residual convolutions over time, so that a frame's vector knows its neighborhood.

    Args:
        x: (batch, frames, units).
        mask: bool (batch, frames), true inside the clip.
        blocks: number of them.
        dropout: fraction, at the end of each residual.
        size: frames that a convolution covers.

    Returns:
        (batch, frames, units).
    """
    for i in range(blocks):
        y = layers.Conv1D(x.shape[2], size, padding="same", use_bias=False, name=f"context{i}_conv")(x)
        y = layers.ReLU(name=f"context{i}_relu")(batch_norm(f"context{i}_norm")(y, mask=mask))
        y = layers.Dropout(dropout, name=f"context{i}_dropout")(y)
        x = MaskFrames(name=f"context{i}_mask")(layers.Add(name=f"context{i}_add")([x, y]), mask)
    return x


def max_pool_maps(x: Tensor, mask: Tensor | None, name: str, time: bool = True) -> tuple[Tensor, Tensor | None]:
    """Max pooling of a map and its mask.

    Args:
        x: (batch, height, width, channels).
        mask: bool (batch, height), true inside the clip; None for images.
        name: start of the layers' names.
        time: whether the window is 2 x 2 rather than 1 x 2.

    Returns:
        (batch, ceil(height / 2), ceil(width / 2), channels), or with the same height, and its mask.
    """
    # A pooling starts its windows at frame 0 whatever the length; a strided "same" convolution does not.
    x = layers.MaxPooling2D((2 if time else 1, 2), padding="same", name=f"{name}_pool")(x)
    if mask is not None and time:
        mask = StrideMask(2, name=f"{name}_mask")(mask)
    return x, mask


def masked_convolution(
    x: Tensor, mask: Tensor | None, filters: int, name: str, size: int = 3, relu: bool = True
) -> Tensor:
    """A convolution and batch normalization over a clip's own rows.

    Args:
        x: (batch, height, width, channels), whose rows past a clip's end are 0.
        mask: bool (batch, height), true inside the clip; None for images.
        filters: output channels.
        name: start of the layers' names.
        size: of the kernel.
        relu: whether a ReLU follows, and rows past the end are set to 0 again.

    Returns:
        (batch, height, width, filters).
    """
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=f"{name}_conv")(x)
    norm = batch_norm(f"{name}_norm")
    x = norm(x) if mask is None else norm(x, mask=layers.Reshape((-1, 1), name=f"{name}_column")(mask))
    if not relu:
        return x
    x = layers.ReLU(name=f"{name}_relu")(x)
    return x if mask is None else MaskFrames(name=f"{name}_mask")(x, mask)


def logits_head(x: Tensor, outputs: int, dropout: float, fc_units: int = 0) -> Tensor:
    """Logits, after an optional dense layer.

    Args:
        x: (batch, units).
        outputs: number of logits.
        dropout: fraction, before the logits.
        fc_units: of a dense layer with ReLU; 0 for no such layer.

    Returns:
        float32 (batch, outputs).
    """
    if fc_units:
        x = layers.Dense(fc_units, activation="relu", name="fc")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(outputs, dtype="float32", name="logits")(x)
