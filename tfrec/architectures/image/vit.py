"""Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929; DeiT: Touvron et al. 2020, arXiv:2012.12877).

Patches, a class token and learned positions; the normalization comes first in each half of a block, and the class token
after the last block represents the image. Without DeiT's distillation token; base is ViT-B/16.
"""

import dataclasses
import math

import keras
from keras import layers

from tfrec.architectures.config import ImageModelConfig, check, check_image
from tfrec.architectures.layers.attention import num_heads
from tfrec.architectures.layers.class_token import ClassToken, FirstToken
from tfrec.architectures.layers.patches import VisibleTokens
from tfrec.architectures.layers.positions import PositionEmbedding
from tfrec.architectures.layers.stochastic_depth import drop_rates
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.types import Shape, Tensor

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
    features = keras.Input(input_shape, name="features")
    x, grid = _tokens(features, input_shape, config)
    x = _blocks(x, config)
    # The logits read the class token only, so only it is normalized.
    x = layers.Cropping1D((0, math.prod(grid)), name="final_class")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="final_norm")(x)
    x = layers.Flatten(name="embedding")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="vit")


def patch_encoder(input_shape: Shape, config: Config) -> keras.Model:
    """The network without its head, for some of the patches of each image (MAE, arXiv:2111.06377).

    Args:
        input_shape: `(height, width, channels)`, all known.
        config: see `Config`.

    Returns:
        A functional model from {"features": (batch, height, width, channels), "visible": int32 (batch, n), the places
        of patches, row by row} to {"tokens": (batch, 1 + n, units), the class token and those patches, "embedding":
        (batch, units), the class token}. Nothing depends on other patches. Its layers have the names of `build`'s.

    Raises:
        ValueError: as `build`.
    """
    features = keras.Input(input_shape, name="features")
    visible = keras.Input((None,), dtype="int32", name="visible")
    x, _ = _tokens(features, input_shape, config)
    x = _blocks(VisibleTokens(name="stem_visible")(x, visible), config)
    x = layers.LayerNormalization(epsilon=EPSILON, name="final_norm")(x)
    outputs = {"tokens": x, "embedding": FirstToken(name="embedding")(x)}
    return keras.Model({"features": features, "visible": visible}, outputs, name="vit")


def _tokens(features: Tensor, input_shape: Shape, config: Config) -> tuple[Tensor, tuple[int, int]]:
    """The class token and all patches with their positions (batch, 1 + patches, units); the grid of the patches."""
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
    x = layers.Conv2D(units, patch, patch, kernel_initializer="lecun_normal", name="stem_conv")(features)
    x = layers.Reshape((-1, units), name="stem_tokens")(x)
    x = ClassToken(name="stem_class")(x)
    return PositionEmbedding((rows, columns), prefix=1, name="stem_position")(x), (rows, columns)


def _blocks(x: Tensor, config: Config) -> Tensor:
    """The encoder's blocks: (batch, tokens, units) -> the same shape."""
    units = x.shape[-1]
    attention = {"heads": num_heads(units), "size": 64}
    for i, rate in enumerate(drop_rates(config, config.repeats(DEPTH))):
        x = transformer_block(x, attention, 4 * units, f"block{i}", rate, EPSILON)
    return x
