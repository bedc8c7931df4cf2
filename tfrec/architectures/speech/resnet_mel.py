"""Residual network for mel spectrograms of short words, as in the study of spoken digits in noise (arXiv:2505.01632).

Three blocks as in He et al. 2016 (arXiv:1512.03385, figure 2), each with a projection beside its two convolutions and
a pooling behind it, then a dense layer.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import MaskedMean, MaskFrames, ModelConfig, check, sequence_inputs
from tfrec.architectures.image import cnn

TAKES = ("sequence",)


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Residual blocks, each of which doubles the filters and halves time and frequency."""

    width: int = 64  # filters of the first block
    depth: int = 3  # blocks
    fc_units: int = 128  # of the dense layer before the logits; 0 is none
    dropout: float = 0.5  # fraction, before the logits


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> logits (batch, num_classes).

    `input_shape` is `(frames, mels)`; `frames` may be None. The input is a dict with "features" and "frames"
    (batch,), the true number of frames; what lies past it never changes the logits. Raises ValueError for another rank.
    """
    check(len(input_shape) == 2, "resnet_mel takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth)
    check(min(sizes) > 0 and config.fc_units >= 0, "resnet_mel's sizes must be positive", config)
    inputs, x, mask = sequence_inputs(input_shape)
    x = cnn.as_picture(x)
    for block in range(config.depth):
        x = _residual(x, mask, config.width * 2**block, name=f"block{block}")
        x, mask = cnn.halve(x, mask, name=f"block{block}")
    filters = x.shape[3]
    x = MaskedMean(name="bands_mean")(cnn.bands(x), mask)
    x = layers.Reshape((-1, filters), name="bands_apart")(x)
    x = layers.GlobalAveragePooling1D(name="embedding")(x)
    logits = cnn.head(x, num_classes, config.dropout, config.fc_units)
    return keras.Model(inputs, logits, name="resnet_mel")


def _residual(x, mask, filters, name):
    shortcut = cnn.convolution(x, mask, filters, f"{name}_0", size=1, relu=False)
    x = cnn.convolution(x, mask, filters, f"{name}_1")
    x = cnn.convolution(x, mask, filters, f"{name}_2", relu=False)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    x = layers.ReLU(name=f"{name}_relu")(x)
    return MaskFrames(name=f"{name}_clip")(x, mask)
