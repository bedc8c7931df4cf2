"""Convolutional network with batch normalization (LeCun et al. 1998; Ioffe & Szegedy 2015, arXiv:1502.03167).

One builder for images and for features over time: a spectrogram is an image whose width is open.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import MaskedMean, MaskFrames, ModelConfig, StrideMask, batch_norm, check, sequence_inputs

TAKES = ("image", "sequence")


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Blocks of convolutions, each ended by a pooling that halves the picture and doubles the channels."""

    width: int = 32  # channels of the first block
    depth: int = 3  # blocks
    convolutions: int = 2  # in each block
    time_pools: int | None = None  # of clips: of the poolings, so many halve the time; None is all
    frame_units: int = 0  # of clips: of a dense layer over each frame's frequencies before time is averaged; 0 is none
    dropout: float = 0.3  # fraction, before the logits


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) or log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` leaves out the batch; `frames` may be None. Features over time come as a dict with "features" and
    "frames" (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for
    another rank.
    """
    check(len(input_shape) in (2, 3), "cnn takes (height, width, channels) or (frames, mels)", input_shape)
    check(config.width > 0 and config.depth > 0 and config.convolutions > 0, "cnn's sizes must be positive", config)
    if len(input_shape) == 3:
        of_clips = (config.time_pools, config.frame_units)
        check(of_clips == (None, 0), "model.time_pools and model.frame_units are for clips, not for pictures", of_clips)
        inputs = keras.Input(input_shape, name="features")
        x, _ = blocks(inputs, None, config)
        x = layers.GlobalAveragePooling2D(name="embedding")(x)
    else:
        inputs, x, mask = sequence_inputs(input_shape)
        x, mask = blocks(as_picture(x), mask, config)
        x = MaskedMean(name="embedding")(frames(x, mask, config.frame_units), mask)
    return keras.Model(inputs, head(x, num_classes, config.dropout), name="cnn")


def as_picture(x):
    """Features (batch, frames, bins) -> a picture of one channel (batch, frames, bins, 1)."""
    return layers.Reshape((-1, x.shape[2], 1), name="image")(x)


def bands(x):
    """A map (batch, frames, bins, channels) -> (batch, frames, bins x channels)."""
    # Time is averaged away later; which frequency a channel fired at is kept.
    return layers.Reshape((-1, x.shape[2] * x.shape[3]), name="bands")(x)


def frames(x, mask, units):
    """A map (batch, frames, bins, channels) and its mask -> what is known of each frame, (batch, frames, units).

    Without `units` that is all of the map.
    """
    x = bands(x)
    if units:
        x = layers.Dense(units, use_bias=False, name="frames_dense")(x)
        x = layers.ReLU(name="frames_relu")(batch_norm("frames_norm")(x, mask=mask))
        x = MaskFrames(name="frames_mask")(x, mask)
    return x


def blocks(x, mask, config):
    """The blocks of a Config: a map (batch, height, width, channels) -> the smaller map, and its mask.

    `mask` (batch, height) says which rows are a clip's own; None is all of them.
    """
    most = config.depth if config.time_pools is None else config.time_pools
    check(0 <= most <= config.depth, "model.time_pools must be from 0 to model.depth", config.time_pools)
    for block in range(config.depth):
        for i in range(config.convolutions):
            x = convolution(x, mask, config.width * 2**block, name=f"block{block}_{i}")
        x, mask = halve(x, mask, name=f"block{block}", time=block < most)
    return x, mask


def halve(x, mask, name, time=True):
    """The largest of each 2 x 2 places of a map, and the mask of that; without `time`, of 1 x 2."""
    # A pooling starts its windows at frame 0 whatever the length; a strided "same" convolution does not.
    x = layers.MaxPooling2D((2 if time else 1, 2), padding="same", name=f"{name}_pool")(x)
    if mask is not None and time:
        mask = StrideMask(2, name=f"{name}_mask")(mask)
    return x, mask


def convolution(x, mask, filters, name, size=3, relu=True):
    """Convolution and batch normalization of a map whose rows past a clip's end are 0, as `mask` says or None.

    With `relu`, that too, and the rows past the end are 0 again.
    """
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=f"{name}_conv")(x)
    norm = batch_norm(f"{name}_norm")
    x = norm(x) if mask is None else norm(x, mask=layers.Reshape((-1, 1), name=f"{name}_column")(mask))
    if not relu:
        return x
    x = layers.ReLU(name=f"{name}_relu")(x)
    return x if mask is None else MaskFrames(name=f"{name}_mask")(x, mask)


def head(x, num_classes, dropout, fc_units=0):
    """Features (batch, units) -> logits (batch, num_classes), by way of a dense layer of `fc_units`, 0 for none."""
    if fc_units:
        x = layers.Dense(fc_units, activation="relu", name="fc")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(num_classes, dtype="float32", name="logits")(x)
