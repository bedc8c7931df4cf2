"""CoAtNet-0: convolutions, then attention with relative positions (Dai et al. 2021, arXiv:2106.04803).

Two convolutions, two stages of inverted residuals with squeeze-and-excitation, two of Transformer blocks. The first
block of a stage halves the map; all blocks normalize first; activations are GELU. The depthwise convolution strides, as
in the paper's "Strided DConv" (table 9: 25 million weights, 4.6 billion multiply-adds), which it found better than
striding before. What it leaves open follows MaxViT, of the same group (github.com/google-research/maxvit): the channels
inside a block are four times, and those of squeeze-and-excitation a quarter of its output channels; a normalization and
a dense layer with tanh precede the logits. So built, CoAtNet-0 to 3 have the paper's weights to 0.6%.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tfrec.architectures.config import ImageModelConfig, check, check_image
from tfrec.architectures.layers.attention import Attention, num_heads, truncated_normal
from tfrec.architectures.layers.convolution import convolution, depthwise, squeeze_excite
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.layers.positions import resize_grid
from tfrec.architectures.layers.stochastic_depth import drop_rates
from tfrec.architectures.layers.transformer_block import feed_forward, residual, transformer_block
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"coatnet_0": 25_036_884}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1.5", "stochastic_depth": "0..0.3"}
STEM = 64  # channels of the two convolutions
CONVOLUTION = ((96, 2), (192, 3))  # (channels, blocks) of the stages with convolutions
TRANSFORMER = ((384, 5), (768, 2))  # (channels, blocks) of the stages with attention
HEAD = 32  # units of an attention head
EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Config(ImageModelConfig):
    """The smallest of the family; the small stem halves the map neither in the stem nor in the first stage."""

    stochastic_depth: float = 0.2  # probability of dropping the last residual branch; rises linearly with depth


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    Args:
        input_shape: `(height, width, channels)`, all known.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape.
    """
    check_image("coatnet", input_shape)
    small = config.small_stem(input_shape)
    rates = iter(drop_rates(config, sum(config.repeats(blocks) for _, blocks in CONVOLUTION + TRANSFORMER)))
    features = keras.Input(input_shape, name="features")
    stem = config.channels(STEM)
    x = convolution(features, stem, 3, "stem_1", strides=1 if small else 2, norm=batch_norm, activation="gelu")
    x = convolution(x, stem, 3, "stem_2", activation=None)
    for stage, (channels, blocks) in enumerate(CONVOLUTION, start=1):
        for i in range(config.repeats(blocks)):
            strides = 2 if i == 0 and not (small and stage == 1) else 1
            x = _convolution_block(x, config.channels(channels), strides, f"stage{stage}_{i}", next(rates))
    for stage, (channels, blocks) in enumerate(TRANSFORMER, start=3):
        stage_rates = [next(rates) for _ in range(config.repeats(blocks))]
        x = _attention_stage(x, config.channels(channels), stage_rates, stage)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="head_norm")(x)
    x = layers.Dense(x.shape[-1], "tanh", kernel_initializer=truncated_normal(), name="head_dense")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="coatnet")


def _shortcut(x: Tensor, channels: int, strides: int, name: str) -> Tensor:
    """The block's input, pooled and projected to the shape of its branch."""
    if strides > 1:
        x = layers.MaxPooling2D(2, strides, padding="same", name=f"{name}_shortcut_pool")(x)
    if x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, name=f"{name}_shortcut_conv")(x)
    return x


def _convolution_block(x: Tensor, channels: int, strides: int, name: str, rate: float) -> Tensor:
    """An inverted residual: maps with `channels`, halved where it strides."""
    y = batch_norm(f"{name}_norm")(x)
    y = convolution(y, 4 * channels, 1, f"{name}_expand", norm=batch_norm, activation="gelu")
    y = depthwise(y, 3, f"{name}_depthwise", strides, norm=batch_norm, activation="gelu")
    y = squeeze_excite(y, max(1, channels // 4), f"{name}_se", "silu")
    y = convolution(y, channels, 1, f"{name}_project", activation=None)
    return residual(_shortcut(x, channels, strides, name), y, rate, name)


def _attention_stage(x: Tensor, channels: int, rates: list[float], stage: int) -> Tensor:
    """A stage of Transformer blocks: maps with `channels`, halved."""
    name = f"stage{stage}_0"
    pooled = _shortcut(x, channels, 2, name)
    grid = pooled.shape[1:3]
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm1")(x)
    y = layers.MaxPooling2D(2, 2, padding="same", name=f"{name}_pool")(y)
    y = layers.Reshape((-1, y.shape[-1]), name=f"{name}_queries")(y)
    x = layers.Reshape((-1, channels), name=f"{name}_tokens")(pooled)
    heads = num_heads(channels, HEAD)
    bias = RelativePosition(grid, heads, name=f"{name}_position")(y)
    y = Attention(heads, HEAD, channels, name=f"{name}_attention")(y, bias=bias)
    x = residual(x, y, rates[0], f"{name}_attention")
    x = feed_forward(x, 4 * channels, name, rates[0], EPSILON)
    attention = {"heads": heads, "size": HEAD}
    for i, rate in enumerate(rates[1:], start=1):
        name = f"stage{stage}_{i}"
        bias = RelativePosition(grid, heads, name=f"{name}_position")(x)
        x = transformer_block(x, attention, 4 * channels, name, rate, EPSILON, bias=bias)
    return layers.Reshape((*grid, channels), name=f"stage{stage}_map")(x)


@keras.saving.register_keras_serializable("tfrec")
class RelativePosition(layers.Layer):
    """A learned attention bias for each relative position on a map (arXiv:2106.04803, section 2.1).

    Tokens (batch, rows x columns, units), of which only the number is used -> (heads, tokens, tokens), with the
    querying token first.

    Args:
        grid: (rows, columns).
        heads: number of attention heads.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: when it is built for another number of tokens.
    """

    def __init__(self, grid: tuple[int, int], heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid, self.heads = tuple(grid), heads
        rows, columns = (np.arange(side)[:, None] - np.arange(side)[None] + side - 1 for side in self.grid)
        steps = rows[:, None, :, None] * (2 * self.grid[1] - 1) + columns[None, :, None, :]
        self.steps = steps.reshape(-1)

    def build(self, x_shape: Shape) -> None:
        """Creates the table, by the number of rows and columns from the attended to the querying token."""
        rows, columns = self.grid
        check(x_shape[1] == rows * columns, f"RelativePosition of this grid takes {rows * columns} tokens", x_shape[1])
        self.table = self.add_weight(
            shape=(self.heads, 2 * rows - 1, 2 * columns - 1), initializer=truncated_normal(), name="table"
        )

    def call(self, x: Tensor) -> Tensor:
        """The table's entry for each pair of tokens."""
        tokens = self.grid[0] * self.grid[1]
        # TensorFlow gathers rows, and propagates their gradient, faster than columns.
        table = ops.transpose(ops.reshape(self.table, (self.heads, -1)))
        return ops.reshape(ops.transpose(ops.take(table, self.steps, axis=0)), (self.heads, tokens, tokens))

    def resize_weight(self, array: np.ndarray) -> np.ndarray:
        """Resamples the table of a layer with another grid to this layer's grid, as in the paper's appendix A.1.

        Args:
            array: (heads, 2 rows - 1, 2 columns - 1) of the other grid.

        Returns:
            The table of this grid.

        Raises:
            ValueError: for another number of heads.
        """
        array = np.asarray(array)
        check(
            array.ndim == 3 and len(array) == self.heads,
            f"A table of relative positions to resize must be ({self.heads}, rows, columns)",
            array.shape,
        )
        table = resize_grid(np.moveaxis(array, 0, -1), self.table.shape[1:], "bilinear")
        return np.moveaxis(table, -1, 0).astype(array.dtype)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """(heads, tokens, tokens)."""
        return (self.heads, x_shape[1], x_shape[1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "grid": self.grid, "heads": self.heads}
