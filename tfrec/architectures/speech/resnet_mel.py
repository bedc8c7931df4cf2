"""Residual network for mel spectrograms of short words, as in the study of spoken digits in noise (arXiv:2505.01632).

Three blocks as in He et al. 2016 (arXiv:1512.03385, figure 2), each with two convolutions, a projection as the shortcut
and a pooling after the sum, then a dense layer.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.masking import MaskFrames, sequence_inputs
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.layers.spectrogram_convolution import (
    flatten_bins,
    logits_head,
    masked_convolution,
    max_pool_maps,
    to_image,
)
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("sequence",)
PARAMETERS = {"sequence": {"resnet_mel": 1_220_613}}
SEARCH_SPACE = {"width": "*0.5..2:log", "depth": "2..4", "dropout": "0..0.7"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Residual blocks, each of which doubles the filters and halves time and frequency."""

    width: int = 64  # filters of the first block
    depth: int = 3  # blocks
    fc_units: int = 128  # of the dense layer before the logits; 0 for no such layer
    dropout: float = 0.5  # fraction, before the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, mels) -> logits (batch, outputs).

    Args:
        input_shape: `(frames, mels)`; `frames` may be None.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of frames. Frames
        past it never change the logits.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "resnet_mel takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth)
    check(min(sizes) > 0 and config.fc_units >= 0, "resnet_mel's sizes must be positive", config)
    inputs, x, mask = sequence_inputs(input_shape)
    x = to_image(x)
    for block in range(config.depth):
        x = _residual(x, mask, config.width * 2**block, name=f"block{block}")
        x, mask = max_pool_maps(x, mask, name=f"block{block}")
    filters = x.shape[3]
    x = MaskedMean(name="bands_mean")(flatten_bins(x), mask)
    x = layers.Reshape((-1, filters), name="bands_apart")(x)
    x = layers.GlobalAveragePooling1D(name="embedding")(x)
    logits = logits_head(x, outputs, config.dropout, config.fc_units)
    return keras.Model(inputs, logits, name="resnet_mel")


def _residual(x: Tensor, mask: Tensor, filters: int, name: str) -> Tensor:
    """A block: a map (batch, frames, bins, n) -> (batch, frames, bins, filters)."""
    shortcut = masked_convolution(x, mask, filters, f"{name}_0", size=1, relu=False)
    x = masked_convolution(x, mask, filters, f"{name}_1")
    x = masked_convolution(x, mask, filters, f"{name}_2", relu=False)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    x = layers.ReLU(name=f"{name}_relu")(x)
    return MaskFrames(name=f"{name}_clip")(x, mask)
