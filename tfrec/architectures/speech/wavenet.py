"""WaveNet over raw waveforms (van den Oord et al. 2016, arXiv:1609.03499, section 3.4).

Stacks of dilated causal convolutions, each gated, with residual and skip connections; the mean over blocks of samples,
causal convolutions over those, and the mean over the clip. Three departures: the first convolution may stride (`hop`; 1
is the paper's), which divides the cost of all later layers; the convolutions after the mean are causal too; the clip
has one output vector, and no second loss predicts the next sample.
"""

import dataclasses
from typing import Any

import keras
from keras import layers, ops

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.masking import MaskFrames, StrideMask, sequence_inputs
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("waveform",)
CAUSAL = {"wavenet": "final_relu1"}
PARAMETERS = {"waveform": {"wavenet": 117_125}}
SEARCH_SPACE = {"channels": "*0.5..2:log", "layers": "4..7", "stacks": "1..3", "dropout": "0..0.4"}
KERNEL = 3  # frames that a convolution after the mean sees


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Dilated causal convolutions over samples."""

    hop: int = 16  # samples from one step to the next; the first convolution sees twice as many
    channels: int = 32  # of the residual connections, and of both sides of the gates
    skip_channels: int = 64  # of the skip connections and all layers after them
    layers: int = 6  # in a stack, dilated by 1, 2, 4, ... steps
    stacks: int = 2  # of layers, one after another
    block: int = 5  # steps whose mean is one frame; 5 steps of 16 samples are 10 ms at 8 kHz
    convolutions: int = 2  # over those frames
    dropout: float = 0.1  # fraction, before the logits


def receptive_field(config: Config) -> int:
    """Number of samples that a frame before the mean over the clip depends on, back from its last step.

    Args:
        config: sizes of the network.

    Returns:
        Samples.
    """
    steps = 2 + config.stacks * (2**config.layers - 1)  # two hops of the first convolution
    frames = config.convolutions * (KERNEL - 1)
    return config.hop * (steps + config.block - 1 + frames * config.block)


def describe(config: Config) -> str:
    """The receptive field of a frame."""
    return f"receptive field {receptive_field(config):,} samples"


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Waveforms (batch, samples, 1), in about [-1, 1] -> logits (batch, outputs).

    Args:
        input_shape: `(samples, 1)`; `samples` may be None.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of samples.
        Samples past it never change the logits.

    Raises:
        ValueError: for another shape and for sizes that make no network.
    """
    check(len(input_shape) == 2 and input_shape[1] == 1, "wavenet takes (samples, 1)", input_shape)
    names = ("hop", "channels", "skip_channels", "layers", "stacks", "block")
    sizes = {name: getattr(config, name) for name in names}
    check(min(sizes.values()) > 0, "wavenet's sizes must be positive", sizes)
    check(config.convolutions >= 0, "model.convolutions must be at least 0", config.convolutions)
    inputs, x, mask = sequence_inputs(input_shape)
    # "causal" pads on the left only, so that step t sees samples up to t * hop whatever the length.
    x = layers.Conv1D(config.channels, 2 * config.hop, config.hop, "causal", name="stem_conv")(x)
    if config.hop > 1:
        mask = StrideMask(config.hop, name="stem_mask")(mask)
    x = dilated_stacks(x, config)
    x = layers.ReLU(name="skip_relu")(x)
    x = layers.Dense(config.skip_channels, "relu", name="skip_point")(x)
    x = BlockMean(config.block, name="frames_mean")(x, mask)
    mask = StrideMask(config.block, name="frames_mask")(mask)
    for i in range(config.convolutions):
        x = layers.Conv1D(config.skip_channels, KERNEL, padding="causal", name=f"final_conv{i}")(x)
        x = layers.ReLU(name=f"final_relu{i}")(x)
    x = MaskedMean(name="embedding")(x, mask)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="wavenet")


def dilated_stacks(x: Tensor, config: Config, mask: Tensor | None = None) -> Tensor:
    """The sum of all skip connections (figure 4).

    Args:
        x: (batch, steps, channels).
        config: sizes.
        mask: bool (batch, steps). With it the convolutions are not causal: they see as far ahead as back, and 0 past a
            clip's end.

    Returns:
        (batch, steps, skip_channels).
    """
    skipped = []
    for stack in range(config.stacks):
        for i in range(config.layers):
            name = f"stack{stack}_{i}"
            x = x if mask is None else MaskFrames(name=f"{name}_clip")(x, mask)
            y = GatedDilation(config.channels, 2**i, mask is None, name=f"{name}_gated")(x)
            skipped.append(layers.Dense(config.skip_channels, name=f"{name}_skip")(y))
            if len(skipped) < config.stacks * config.layers:  # no layer reads the last residual
                y = layers.Dense(config.channels, name=f"{name}_residual")(y)
                x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Add(name="skip_add")(skipped) if len(skipped) > 1 else skipped[0]


@keras.saving.register_keras_serializable("tfrec")
class GatedDilation(layers.Layer):
    """A dilated convolution and its gate, tanh(W x) sigmoid(V x) (equation 2).

    (batch, steps, channels) -> (batch, steps, `units`): step t depends on steps t and t - `dilation`, and on t +
    `dilation` if not `causal`. It is one dense layer over those steps, since on the CPU TensorFlow splits a dilated
    convolution into several operations.

    Args:
        units: of the output.
        dilation: steps between the steps of a window.
        causal: whether the window is of two steps, the current and an earlier one, or of three.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for units or a dilation that are not positive.
    """

    def __init__(self, units: int, dilation: int, causal: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(units > 0 and dilation > 0, "GatedDilation's units and dilation must be positive", (units, dilation))
        self.units, self.dilation, self.causal = units, dilation, causal
        self.project = layers.Dense(2 * units, dtype=self.dtype_policy, name="project")

    def build(self, x_shape: Shape) -> None:
        """Creates the weights."""
        self.project.build((*x_shape[:-1], (2 if self.causal else 3) * (x_shape[-1] or 0)))

    def call(self, x: Tensor) -> Tensor:
        """Pads with zeros before the first and after the last step."""
        window = [ops.pad(x, ((0, 0), (self.dilation, 0), (0, 0)))[:, : ops.shape(x)[1]], x]
        if not self.causal:
            window.append(ops.pad(x, ((0, 0), (0, self.dilation), (0, 0)))[:, self.dilation :])
        signal, gate = ops.split(self.project(ops.concatenate(window, axis=-1)), 2, axis=-1)
        return ops.tanh(signal) * ops.sigmoid(gate)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """(batch, steps, units)."""
        return (*x_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units, "dilation": self.dilation, "causal": self.causal}


@keras.saving.register_keras_serializable("tfrec")
class BlockMean(layers.Layer):
    """Means over blocks of true steps, the first from step 0 on; the last block may be shorter.

    (batch, steps, units) and mask (batch, steps) -> (batch, ceil(steps / size), units). A pooling with "same" padding
    would start before step 0, at a place that depends on the length.

    Args:
        size: steps of a block.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for a size that is not positive.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(size > 0, "BlockMean's size must be positive", size)
        self.size = size

    def call(self, x: Tensor, keep: Tensor) -> Tensor:
        """Sums over true steps divided by their number, in float32."""
        units, blocks = x.shape[-1], (ops.shape(x)[1] + self.size - 1) // self.size
        x = ops.where(keep[:, :, None], ops.cast(x, "float32"), 0.0)
        both = ops.concatenate([x, ops.cast(keep, "float32")[:, :, None]], axis=-1)
        both = ops.pad(both, ((0, 0), (0, self.size - 1), (0, 0)))[:, : blocks * self.size]
        sums = ops.sum(ops.reshape(both, (-1, blocks, self.size, units + 1)), axis=2)
        return ops.cast(sums[..., :-1] / ops.maximum(sums[..., -1:], 1.0), self.compute_dtype)

    def compute_output_shape(self, x_shape: Shape, keep_shape: Shape | None = None) -> Shape:
        """(batch, blocks, units)."""
        steps = x_shape[1]
        return (x_shape[0], None if steps is None else -(-steps // self.size), x_shape[2])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size}
