"""Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929; DeiT: Touvron et al. 2020, arXiv:2012.12877).

Patches, a class token and learned positions; the normalization comes first in each half of a block, and the class token
after the last block is the image. Without DeiT's token for distillation; base is ViT-B/16.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import ImageModelConfig, check, check_image, drop_rates
from tfrec.architectures.transformer import ClassToken, PositionEmbedding, heads_of, transformer_block

TAKES = ("image",)
DEPTH = 12
EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """A Transformer's encoder over patches; heads have 64 units in every size."""

    patch: int | None = None  # pixels of a side; None is 16, or 4 with the small stem
    width: int = 192  # units of a token: 192 in tiny, 384 in small, 768 in base
    stochastic_depth: float = 0.1  # how often the last residual branch is left out; the others less, linearly


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    `input_shape` is `(height, width, channels)`, all known. Raises ValueError for another rank, and where the patch
    does not divide height and width.
    """
    check_image("vit", input_shape)
    patch = config.patch
    if patch is None:
        patch = 4 if config.small_stem(input_shape) else 16
    sides = tuple(input_shape[:2])
    check(
        patch > 0 and all(side % patch == 0 for side in sides),
        f"model.patch, here {patch}, must divide the image's height and width",
        sides,
    )
    grid = tuple(side // patch for side in sides)
    units = config.channels(config.width)
    features = keras.Input(input_shape, name="features")
    x = layers.Conv2D(units, patch, patch, kernel_initializer="lecun_normal", name="stem_conv")(features)
    x = layers.Reshape((-1, units), name="stem_tokens")(x)
    x = ClassToken(name="stem_class")(x)
    x = PositionEmbedding(grid, prefix=1, name="stem_position")(x)
    attention = {"heads": heads_of(units), "size": 64}
    for i, rate in enumerate(drop_rates(config, config.repeats(DEPTH))):
        x = transformer_block(x, attention, 4 * units, f"block{i}", rate, EPSILON)
    # Only the class token is read, so only it is normalized.
    x = layers.Cropping1D((0, grid[0] * grid[1]), name="final_class")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="final_norm")(x)
    x = layers.Flatten(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="vit")
