"""Convolutional network with batch normalisation (LeCun et al. 1998; Ioffe & Szegedy 2015, arXiv:1502.03167).

One builder for images and for features over time: a spectrogram is an image whose width is open.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import FrameMask, MaskedMean, MaskFrames, ModelConfig, StrideMask, check

TAKES = ("image", "sequence")


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Blocks of convolutions, each ended by a pooling that halves the picture and doubles the channels."""

    width: int = 32  # channels of the first block
    depth: int = 3  # blocks
    convolutions: int = 2  # in each block
    dropout: float = 0.3  # fraction, before the logits


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) or log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` leaves out the batch; `frames` may be None. Features over time come as a dict with "features" and
    "frames" (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for
    another rank.
    """
    check(len(input_shape) in (2, 3), "cnn takes (height, width, channels) or (frames, mels)", input_shape)
    check(config.width > 0 and config.depth > 0 and config.convolutions > 0, "cnn's sizes must be positive", config)
    features = keras.Input(input_shape, name="features")
    if len(input_shape) == 3:
        x = _blocks(features, None, config)
        x = layers.GlobalAveragePooling2D(name="embedding")(x)
        inputs = features
    else:
        frames = keras.Input((), dtype="int32", name="frames")
        inputs = {"features": features, "frames": frames}
        mask = FrameMask(name="mask")(features, frames)
        x = MaskFrames(name="clip")(features, mask)
        x = layers.Reshape((-1, input_shape[1], 1), name="image")(x)
        x, mask = _blocks(x, mask, config)
        # Time is averaged away; which frequency a channel fired at is kept.
        x = layers.Reshape((-1, x.shape[2] * x.shape[3]), name="bands")(x)
        x = MaskedMean(name="embedding")(x, mask)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="cnn")


def _blocks(x, mask, config):
    for block in range(config.depth):
        for i in range(config.convolutions):
            x = _convolution(x, mask, config.width * 2**block, name=f"block{block}_{i}")
        # A pooling starts its windows at frame 0 whatever the length; a strided "same" convolution does not.
        x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
        mask = None if mask is None else StrideMask(2, name=f"block{block}_mask")(mask)
    return x if mask is None else (x, mask)


def _convolution(x, mask, filters, name):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    norm = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")  # 0.99 needs more steps than small sets have
    x = norm(x) if mask is None else norm(x, mask=layers.Reshape((-1, 1), name=f"{name}_column")(mask))
    x = layers.ReLU(name=f"{name}_relu")(x)
    return x if mask is None else MaskFrames(name=f"{name}_mask")(x, mask)
