"""Deep Speech 2: convolutions over time and frequency, gated recurrent layers, CTC (Amodei et al., arXiv:1512.02595).

The paper's kernels and nonlinearities, its batch normalization over sequences (section 3.2), here over true frames
only, and one input product for both directions, whose states are summed (section 3.1). Three departures: sizes for a
laptop (the paper has up to 3 convolutions and 7 recurrent layers, and halves time once), dropout between the recurrent
layers, and tanh rather than a clipped ReLU in the gated cells.
"""

import dataclasses
from typing import Any, Literal

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.layers.ctc_head import IntermediateCTC, StackConfig, ctc_head
from tfrec.architectures.layers.masking import MaskFrames, StrideMask, sequence_inputs
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("sequence",)
OUTPUT_KIND = "sequence"
PARAMETERS = {"sequence": {"deepspeech2": 1_897_101}}
SEARCH_SPACE = {"units": "*0.5..2:log", "depth": "2..5", "dropout": "0..0.4"}
CEILING = 20.0  # the clipped ReLU is min(max(x, 0), 20)
KERNELS = ((11, 41), (11, 21), (11, 21))  # frames and bins that each convolution sees


@dataclasses.dataclass(frozen=True)
class Config(StackConfig):
    """Convolutions and recurrent layers."""

    convolutions: int = 2  # 1 to 3; each halves frequency
    filters: int = 16  # channels of the convolutions, three times as many in the third; the paper has 32
    subsampling: int = 4  # frames per step: 1, 2 as in the paper, or 4
    cell: Literal["gru", "rnn"] = "gru"  # rnn is the plain cell with the clipped ReLU
    units: int = 256  # of every recurrent layer, the sum of both directions
    depth: int = 3  # recurrent layers
    lookahead: int = 0  # steps ahead that a row convolution after unidirectional layers sees; 0 is both directions
    dropout: float = 0.2  # fraction, between the recurrent layers and before the logits


def describe(config: Config) -> str:
    """How far ahead a step sees."""
    step = f"one step for {config.subsampling} frames, each of which"
    if config.lookahead:
        return f"{step} sees {config.lookahead * config.subsampling} frames ahead"
    return f"{step} depends on the whole clip"


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Spectrogram or log-mel (batch, frames, bins) -> {"logits": (batch, steps, outputs), "steps": int32 (batch,)}.

    Steps are ceil(frames / subsampling). With `intermediate` further outputs "intermediateN" hold the logits after
    recurrent layer N.

    Args:
        input_shape: `(frames, bins)`; `frames` may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of frames. Frames
        past it never change the logits of a clip's own steps.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "deepspeech2 takes (frames, bins)", input_shape)
    sizes = (config.filters, config.units, config.depth)
    check(min(sizes) > 0, "deepspeech2's filters, units and depth must be positive", sizes)
    check(1 <= config.convolutions <= 3, "model.convolutions must be 1, 2 or 3", config.convolutions)
    allowed = (1, 2, 4)[: config.convolutions + 1]
    check(config.subsampling in allowed, f"model.subsampling must be one of {allowed}", config.subsampling)
    check(config.lookahead >= 0, "model.lookahead must be at least 0", config.lookahead)
    inputs, x, mask = sequence_inputs(input_shape)
    x, mask = _convolutions(x, mask, config)
    ctc = IntermediateCTC(config, config.depth, outputs)
    for i in range(config.depth):
        if i:
            x = layers.Dropout(config.dropout, name=f"dropout{i - 1}")(x)
        x = ctc.between(_recurrent(x, mask, config, f"{config.cell}{i}"), i + 1)
    if config.lookahead:
        x = _row_convolution(MaskFrames(name="row_clip")(x, mask), config.lookahead)
    _, result = ctc_head(x, mask, outputs, config.dropout, ctc)
    return keras.Model(inputs, result, name="deepspeech2")


def _convolutions(x: Tensor, mask: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """(batch, frames, bins) and its mask -> (batch, steps, bands * channels) and its mask.

    For networks in both directions the padding is the same on both sides whatever the length, since the windows of
    "same" would start elsewhere for odd lengths; with a look-ahead it is before the clip only.
    """
    x = layers.Reshape((-1, x.shape[2], 1), name="conv0_image")(x)
    for i, (frames, bins) in enumerate(KERNELS[: config.convolutions]):
        name, stride = f"conv{i}", 2 if config.subsampling >= 2 ** (i + 1) else 1
        before = frames - 1 if config.lookahead else frames // 2
        x = layers.ZeroPadding2D(((before, frames - 1 - before), (bins // 2, bins // 2)), name=f"{name}_pad")(x)
        channels = config.filters * (3 if i == 2 else 1)
        x = layers.Conv2D(
            channels, (frames, bins), (stride, 2), use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
        )(x)
        mask = mask if stride == 1 else StrideMask(stride, name=f"{name}_mask")(mask)
        x = batch_norm(f"{name}_norm")(x, mask=layers.Reshape((-1, 1), name=f"{name}_column")(mask))
        x = layers.ReLU(CEILING, name=f"{name}_relu")(x)
        x = MaskFrames(name=f"{name}_clip")(x, mask)
    return layers.Reshape((-1, x.shape[2] * x.shape[3]), name=f"{name}_bands")(x), mask


def _recurrent(x: Tensor, mask: Tensor, config: Config, name: str) -> Tensor:
    """States f(B(W x) + U h), with h the state before, and the state after for the second direction."""
    cell = GatedCell(config.units) if config.cell == "gru" else PlainCell(config.units)
    x = layers.Dense(cell.inputs, use_bias=False, name=f"{name}_product")(x)
    x = MaskFrames(name=f"{name}_clip")(batch_norm(f"{name}_norm")(x, mask=mask), mask)
    layer = layers.RNN(cell, return_sequences=True, name=f"{name}_states")
    if not config.lookahead:
        layer = layers.Bidirectional(layer, merge_mode="sum", name=f"{name}_states")
    return layer(x)  # products of 0 keep a state of 0, so the second direction starts at a clip's end


def _row_convolution(x: Tensor, lookahead: int) -> Tensor:
    """The row convolution: each unit of (batch, steps, units) weighted with its next `lookahead` values."""
    x = layers.ZeroPadding1D((0, lookahead), name="row_pad")(x)
    return layers.DepthwiseConv1D(lookahead + 1, use_bias=False, name="row_conv")(x)


class _Cell(layers.Layer):
    """A step of a recurrent layer whose inputs are the products: (batch, inputs), state (batch, units)."""

    gates = 1

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(units > 0, f"{type(self).__name__}'s units must be positive", units)
        self.units = self.state_size = self.output_size = units
        self.inputs = self.gates * units  # the products of each unit's gates

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        shape = (self.units, self.inputs)
        self.kernel = self.add_weight(shape=shape, initializer="orthogonal", name="recurrent_kernel")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tfrec")
class PlainCell(_Cell):
    """h = clip(x + U h') for the normalized product x: (batch, units) -> (batch, units)."""

    def call(self, products: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step."""
        state = ops.clip(products + ops.matmul(states[0], self.kernel), 0.0, CEILING)
        return state, [state]


@keras.saving.register_keras_serializable("tfrec")
class GatedCell(_Cell):
    """A GRU (arXiv:1406.1078) of normalized products: (batch, 3 units), update, reset and new -> (batch, units).

    The reset gate comes after the recurrent product, as in the paper and cuDNN.
    """

    gates = 3

    def call(self, products: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step."""
        update, reset, new = ops.split(products, 3, axis=-1)
        old = states[0]
        by_update, by_reset, by_new = ops.split(ops.matmul(old, self.kernel), 3, axis=-1)
        new = ops.tanh(new + ops.sigmoid(reset + by_reset) * by_new)
        update = ops.sigmoid(update + by_update)
        state = old + update * (new - old)
        return state, [state]
