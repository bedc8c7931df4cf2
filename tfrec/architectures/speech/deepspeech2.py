"""Deep Speech 2: convolutions over time and frequency, gated recurrent layers, CTC (Amodei et al., arXiv:1512.02595).

The paper's kernels and nonlinearities, its batch normalization over sequences (section 3.2) counting true frames only,
and one input product for both directions, whose states are summed (section 3.1). Three departures: sizes for a laptop
(the paper has up to 3 convolutions and 7 recurrent layers, and halves time once), dropout between the recurrent layers,
and tanh rather than a clipped ReLU in the gated cells.
"""

import dataclasses
from typing import Literal

import keras
from keras import layers, ops

from tfrec.architectures.base import MaskFrames, ModelConfig, StrideMask, batch_norm, check, sequence_inputs
from tfrec.architectures.parts import ctc_head

TAKES = ("sequence",)
GIVES = "tokens"
CEILING = 20.0  # the clipped ReLU is min(max(x, 0), 20)
KERNELS = ((11, 41), (11, 21), (11, 21))  # frames and bins that each convolution sees


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Convolutions and recurrent layers."""

    convolutions: int = 2  # 1 to 3; each halves frequency
    filters: int = 16  # channels of the convolutions, three times as many of a third; the paper has 32
    subsampling: int = 4  # how many frames become one step: 1, 2 as in the paper, or 4
    cell: Literal["gru", "rnn"] = "gru"  # rnn is the plain one with the clipped ReLU
    units: int = 256  # of every recurrent layer, the sum of both directions
    depth: int = 3  # recurrent layers
    lookahead: int = 0  # steps that a row convolution sees ahead of layers in one direction; 0 is both directions
    dropout: float = 0.2  # fraction, between the recurrent layers and before the logits


def describe(config):
    """What a user should know of a configuration before training starts."""
    step = f"one step for {config.subsampling} frames, each of which"
    if config.lookahead:
        return f"{step} sees {config.lookahead * config.subsampling} frames ahead"
    return f"{step} depends on the whole clip"


def build(input_shape, num_classes, config):
    """Spectrogram or log-mel (batch, frames, bins) -> {"logits": (batch, steps, num_classes), "steps": int32 (batch,)}.

    `input_shape` is `(frames, bins)`; `frames` may be None; steps are ceil(frames / subsampling). The input is a dict
    with "features" and "frames" (batch,), the true number of frames; what lies past it never changes the logits of a
    clip's own steps. Raises ValueError for another rank and for sizes that make no network.
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
    for i in range(config.depth):
        if i:
            x = layers.Dropout(config.dropout, name=f"dropout{i - 1}")(x)
        x = _recurrent(x, mask, config, f"{config.cell}{i}")
    if config.lookahead:
        x = _row_convolution(MaskFrames(name="row_clip")(x, mask), config.lookahead)
    _, outputs, _ = ctc_head(x, mask, num_classes, config.dropout)
    return keras.Model(inputs, outputs, name="deepspeech2")


def _convolutions(x, mask, config):
    """(batch, frames, bins) and its mask -> (batch, steps, bands * channels) and the mask of that.

    Without a look-ahead to spend, the padding is on both sides, as many frames whatever the length, since the windows
    of "same" would start elsewhere for odd ones; with one, it is before the clip alone.
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


def _recurrent(x, mask, config, name):
    """States f(B(W x) + U h), h the state before, and after for a second direction unless there is a look-ahead."""
    cell = GatedCell(config.units) if config.cell == "gru" else PlainCell(config.units)
    x = layers.Dense(cell.inputs, use_bias=False, name=f"{name}_product")(x)
    x = MaskFrames(name=f"{name}_clip")(batch_norm(f"{name}_norm")(x, mask=mask), mask)
    layer = layers.RNN(cell, return_sequences=True, name=f"{name}_states")
    if not config.lookahead:
        layer = layers.Bidirectional(layer, merge_mode="sum", name=f"{name}_states")
    return layer(x)  # products of 0 leave a state of 0 alone, so the second direction begins at a clip's end


def _row_convolution(x, lookahead):
    """Each unit of (batch, steps, units) with its own next `lookahead` values, weighed: the row convolution."""
    x = layers.ZeroPadding1D((0, lookahead), name="row_pad")(x)
    return layers.DepthwiseConv1D(lookahead + 1, use_bias=False, name="row_conv")(x)


class _Cell(layers.Layer):
    """A step of a recurrent layer whose inputs are the products already: (batch, inputs), state (batch, units)."""

    gates = 1

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        check(units > 0, f"{type(self).__name__}'s units must be positive", units)
        self.units = self.state_size = self.output_size = units
        self.inputs = self.gates * units  # for each unit, the products of its gates

    def build(self, input_shape):
        """Makes the weights."""
        shape = (self.units, self.inputs)
        self.kernel = self.add_weight(shape=shape, initializer="orthogonal", name="recurrent_kernel")

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tfrec")
class PlainCell(_Cell):
    """h = clip(x + U h') for the normalized product x: (batch, units) -> (batch, units)."""

    def call(self, products, states):
        """One step."""
        state = ops.clip(products + ops.matmul(states[0], self.kernel), 0.0, CEILING)
        return state, [state]


@keras.saving.register_keras_serializable("tfrec")
class GatedCell(_Cell):
    """A GRU (arXiv:1406.1078) of normalized products: (batch, 3 units), update, reset and new -> (batch, units).

    The reset gate comes after the recurrent product, as in the paper and CuDNN.
    """

    gates = 3

    def call(self, products, states):
        """One step."""
        update, reset, new = ops.split(products, 3, axis=-1)
        old = states[0]
        by_update, by_reset, by_new = ops.split(ops.matmul(old, self.kernel), 3, axis=-1)
        new = ops.tanh(new + ops.sigmoid(reset + by_reset) * by_new)
        update = ops.sigmoid(update + by_update)
        state = old + update * (new - old)
        return state, [state]
