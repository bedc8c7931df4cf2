"""A residual network whose last maps are the tokens of a Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929).

The paper's hybrids (section 3.1) put a Vision Transformer on the maps of a ResNet. Here it is a small one on the maps
of a whole ResNet, as reviews of speech recognition propose for mel spectrograms: the residual stages find patterns in
time and frequency, the Transformer relates what is far apart. The default front is that of ResNet-18.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.image import resnet
from tfrec.architectures.layers.attention import check_heads
from tfrec.architectures.layers.positions import SinusoidalPosition
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"resnet_transformer": 13_144_872}}
SEARCH_SPACE = {"width": "*0.5..1.5:step=0.5", "transformer_depth": "1..4", "dropout": "0..0.3"}


@dataclasses.dataclass(frozen=True)
class Config(resnet.Config):
    """A ResNet of any depth and kind of block, and a Transformer's encoder over the places of its last maps."""

    block: Literal["basic", "bottleneck"] = "basic"  # of the ResNet, see there
    depths: tuple[int, ...] = (2, 2, 2, 2)  # blocks of each of its stages
    width: int = 256  # units of a token
    transformer_depth: int = 2  # blocks of the Transformer
    heads: int = 4  # of its attention; they share the width
    expansion: int = 4  # units between the two dense layers of a block, as a multiple of the width


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    The tokens are the places of the last maps, row by row; of pictures of spectrograms that is step by step.

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape, and for sizes that make no network.
    """
    sizes = (config.width, config.transformer_depth, config.heads, config.expansion)
    check(min(sizes) > 0, "resnet_transformer's width, transformer_depth, heads and expansion must be positive", sizes)
    check_heads(config.width, config.heads)
    features, x = resnet.residual_maps("resnet_transformer", input_shape, config)
    x = layers.Reshape((-1, x.shape[-1]), name="tokens")(x)
    x = layers.Dense(config.width, name="tokens_project")(x)
    x = SinusoidalPosition(name="tokens_position")(x)
    attention = {"heads": config.heads, "size": config.width // config.heads}
    for i in range(config.transformer_depth):
        x = transformer_block(
            x, attention, config.expansion * config.width, f"block{i}", config.stochastic_depth, dropout=config.dropout
        )
    x = layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    x = layers.GlobalAveragePooling1D(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="resnet_transformer")
