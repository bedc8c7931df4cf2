"""Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929; DeiT: Touvron et al. 2020, arXiv:2012.12877).

Patches, a class token and learned positions; the normalization comes first in each half of a block, and the class token
after the last block represents the image. Without DeiT's distillation token; base is ViT-B/16.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check, check_image
from tfrec.architectures.layers.attention import num_heads
from tfrec.architectures.layers.class_token import ClassToken
from tfrec.architectures.layers.positions import PositionEmbedding
from tfrec.architectures.layers.stochastic_depth import drop_rates
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.types import Shape

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"vit_base": 86_567_656, "vit_small": 22_050_664, "vit_tiny": 5_717_416}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "stochastic_depth": "0..0.3"}
DEPTH = 12
EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """A Transformer's encoder over patches; heads have 64 units in every size."""

    patch: int | None = None  # pixels of a side; None is 16, or 4 with the small stem
    width: int = 192  # units of a token: 192 in tiny, 384 in small, 768 in base
    stochastic_depth: float = 0.1  # probability of dropping the last residual branch; rises linearly with depth


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another rank, and for a patch that does not divide height and width.
    """
    check_image("vit", input_shape)
    patch = config.patch
    if patch is None:
        patch = 4 if config.small_stem(input_shape) else 16
    sides = tuple(side or 0 for side in input_shape[:2])
    check(
        patch > 0 and all(side % patch == 0 for side in sides),
        f"model.patch, here {patch}, must divide the image's height and width",
        sides,
    )
    rows, columns = (side // patch for side in sides)
    units = config.channels(config.width)
    features = keras.Input(input_shape, name="features")
    x = layers.Conv2D(units, patch, patch, kernel_initializer="lecun_normal", name="stem_conv")(features)
    x = layers.Reshape((-1, units), name="stem_tokens")(x)
    x = ClassToken(name="stem_class")(x)
    x = PositionEmbedding((rows, columns), prefix=1, name="stem_position")(x)
    attention = {"heads": num_heads(units), "size": 64}
    for i, rate in enumerate(drop_rates(config, config.repeats(DEPTH))):
        x = transformer_block(x, attention, 4 * units, f"block{i}", rate, EPSILON)
    # The logits read the class token only, so only it is normalized.
    x = layers.Cropping1D((0, rows * columns), name="final_class")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="final_norm")(x)
    x = layers.Flatten(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="vit")
