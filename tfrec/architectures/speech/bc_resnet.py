"""Broadcasted residual network for keywords on small devices (Kim et al. 2021, arXiv:2106.04140).

A block's residual is a map over frequency and time plus a row over time only, computed from the map's mean over
frequency and broadcast back; most of the work is done on the row. Normalization is by sub-bands of the frequencies
(Chang et al. 2021, arXiv:2103.13620), and time is never strided. The defaults are BC-ResNet-1.
"""

import dataclasses
from typing import Any

import keras
from keras import layers, ops

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.masking import MaskFrames, sequence_inputs
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("sequence",)
PARAMETERS = {
    "sequence": {
        "bc_resnet_1": 8_225,
        "bc_resnet_1_5": 15_647,
        "bc_resnet_2": 25_277,
        "bc_resnet_3": 51_161,
        "bc_resnet_6": 181_805,
        "bc_resnet_8": 313_061,
    }
}
SEARCH_SPACE = {"channels": "*0.5..2:log", "sub_bands": "1..5", "dropout": "0..0.3"}
# Of each stage: channels as a multiple of the config's, blocks, stride over frequency, dilation over time (table 1).
STAGES = ((1, 2, 1, 1), (1.5, 2, 2, 2), (2, 4, 2, 4), (2.5, 4, 1, 8))


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Broadcasted residual blocks in four stages; BC-ResNet-8 is eight times as wide as BC-ResNet-1."""

    channels: int = 8  # of the first stage; the others have 1.5, 2 and 2.5 times as many
    sub_bands: int = 5  # each normalized by itself; the largest number up to it that divides a map's frequencies
    dropout: float = 0.1  # fraction of the channels, in every block


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
        ValueError: for another rank and for sizes that are not positive.
    """
    check(len(input_shape) == 2, "bc_resnet takes (frames, mels)", input_shape)
    sizes = (config.channels, config.sub_bands)
    check(min(sizes) > 0, "bc_resnet's channels and sub_bands must be positive", sizes)
    inputs, x, mask = sequence_inputs(input_shape)
    x = layers.Reshape((-1, input_shape[1], 1), name="image")(x)
    x = layers.Conv2D(2 * config.channels, 5, (1, 2), "same", use_bias=False, name="stem_conv")(x)
    x = _normalize(x, mask, "stem")
    for stage, (width, blocks, stride, dilation) in enumerate(STAGES):
        for i in range(blocks):
            units = int(width * config.channels)
            x = _block(x, mask, units, stride if i == 0 else 1, dilation, config, f"stage{stage}_{i}")
    x = _final_convolution(x, mask, 4 * config.channels)
    x = MaskedMean(name="embedding")(x, mask)
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="bc_resnet")


def _block(x: Tensor, mask: Tensor, channels: int, stride: int, dilation: int, config: Config, name: str) -> Tensor:
    """Equations 2 and 3 of the paper: a block that changes the number of channels has no shortcut."""
    shortcut = x if x.shape[-1] == channels else None
    if shortcut is None:
        x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_widen_conv")(x)
        x = _normalize(x, mask, f"{name}_widen")
    x = layers.DepthwiseConv2D((1, 3), padding="same", use_bias=False, name=f"{name}_frequency_conv")(x)
    if stride > 1:  # TensorFlow has no depthwise convolution that strides over one axis only
        x = layers.MaxPooling2D((1, 1), (1, stride), name=f"{name}_frequency_stride")(x)
    x = SubSpectralNorm(config.sub_bands, name=f"{name}_frequency_norm")(x, mask)
    row = FrequencyMean(name=f"{name}_mean")(x)
    row = MaskFrames(name=f"{name}_mask")(row, mask)
    row = TimeConvolution(dilation, name=f"{name}_time_conv")(row)
    row = _normalize(row, mask, f"{name}_time", "silu")
    row = layers.Dense(channels, use_bias=False, name=f"{name}_point_conv")(row)
    row = layers.SpatialDropout1D(config.dropout, name=f"{name}_dropout")(row)
    row = layers.Reshape((-1, 1, channels), name=f"{name}_broadcast")(row)
    x = layers.Add(name=f"{name}_add")([x, row] if shortcut is None else [x, row, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _final_convolution(x: Tensor, mask: Tensor, units: int) -> Tensor:
    """(batch, frames, frequencies, channels) -> (batch, frames, units): all frequencies of five frames at once."""
    bands, channels = x.shape[2:]  # 5 for the paper's 40 mels
    x = MaskFrames(name="final_mask")(x, mask)
    x = layers.ZeroPadding2D(((2, 2), (0, 0)), name="final_pad")(x)
    x = layers.DepthwiseConv2D((5, bands), use_bias=False, name="final_depth")(x)
    x = layers.Reshape((-1, channels), name="final_row")(x)
    x = layers.Dense(units, use_bias=False, name="final_point")(x)
    return _normalize(x, mask, "final")


def _normalize(x: Tensor, mask: Tensor, name: str, activation: str = "relu") -> Tensor:
    """Batch-normalizes (batch, frames, ..., channels) over true frames; with an activation, and 0 past the end."""
    keep = mask if len(x.shape) == 3 else layers.Reshape((-1, 1), name=f"{name}_column")(mask)
    x = batch_norm(f"{name}_norm", epsilon=1e-5)(x, mask=keep)
    x = layers.Activation(activation, name=f"{name}_{activation}")(x)
    return MaskFrames(name=f"{name}_clip")(x, mask)  # also ends Keras's implicit mask


@keras.saving.register_keras_serializable("tfrec")
class TimeConvolution(layers.Layer):
    """A depthwise convolution of three frames, `dilation` apart: (batch, frames, channels) -> the same shape.

    Computed as three products: on the CPU TensorFlow splits a dilated convolution into several operations, and XLA
    takes minutes to compile the gradients of a network of them.

    Args:
        dilation: frames between the frames of a window.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for a dilation that is not positive.
    """

    def __init__(self, dilation: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(dilation > 0, "TimeConvolution's dilation must be positive", dilation)
        self.dilation = dilation

    def build(self, x_shape: Shape) -> None:
        """Creates the kernel in the shape of Keras's depthwise layers, which decides its initial scale."""
        self.kernel = self.add_weight(shape=(3, x_shape[-1], 1), initializer="glorot_uniform", name="kernel")

    def call(self, x: Tensor) -> Tensor:
        """Pads with zeros before the first and after the last frame."""
        width = 2 * self.dilation
        kernel = ops.unstack(ops.cast(self.kernel[:, :, 0], x.dtype), 3)
        padded = ops.pad(x, ((0, 0), (self.dilation, self.dilation), (0, 0)))
        windows = padded[:, :-width], padded[:, self.dilation : -self.dilation], padded[:, width:]
        return sum(window * factor for window, factor in zip(windows, kernel, strict=True))

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """The input's shape."""
        return x_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "dilation": self.dilation}


@keras.saving.register_keras_serializable("tfrec")
class FrequencyMean(layers.Layer):
    """The mean over frequency: (batch, frames, frequencies, channels) -> (batch, frames, channels)."""

    def call(self, x: Tensor) -> Tensor:
        """Computes the mean in float32."""
        return ops.cast(ops.mean(ops.cast(x, "float32"), axis=2), x.dtype)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """(batch, frames, channels)."""
        return (*x_shape[:2], x_shape[3])


@keras.saving.register_keras_serializable("tfrec")
class SubSpectralNorm(layers.Layer):
    """Batch normalization of sub-bands, each with its own statistics, scale and offset (arXiv:2103.13620).

    (batch, frames, frequencies, channels) and mask (batch, frames) -> the shape of the first.

    Args:
        sub_bands: maximum number of sub-bands; they are equally wide, so there are as many as the largest number up to
            it that divides the frequencies.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for a number that is not positive.
    """

    def __init__(self, sub_bands: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(sub_bands > 0, "SubSpectralNorm's sub_bands must be positive", sub_bands)
        self.sub_bands = sub_bands
        self.norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name="norm")

    def build(self, x_shape: Shape, keep_shape: Shape | None = None) -> None:
        """Chooses the number of sub-bands and creates the weights."""
        frequencies, channels = (size or 0 for size in x_shape[2:])
        self.bands = max(number for number in range(1, self.sub_bands + 1) if frequencies % number == 0)
        self.norm.build((None, frequencies // self.bands, self.bands * channels))

    def call(self, x: Tensor, keep: Tensor, training: bool | None = None) -> Tensor:
        """Normalizes the channels of each sub-band as channels of their own."""
        # Frames of all clips in one axis: shapes that are known make a smaller graph, which a server prepares sooner.
        frequencies, channels = x.shape[2:]
        width = frequencies // self.bands
        y = ops.swapaxes(ops.reshape(x, (-1, self.bands, width, channels)), 1, 2)
        y = ops.reshape(y, (-1, width, self.bands * channels))
        mask = ops.repeat(ops.reshape(keep, (-1, 1)), width, axis=1) if training else None
        y = self.norm(y, training=training, mask=mask)
        y = ops.swapaxes(ops.reshape(y, (-1, width, self.bands, channels)), 1, 2)
        return ops.reshape(y, ops.shape(x))

    def compute_output_shape(self, x_shape: Shape, keep_shape: Shape | None = None) -> Shape:
        """The map's shape."""
        return x_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "sub_bands": self.sub_bands}
