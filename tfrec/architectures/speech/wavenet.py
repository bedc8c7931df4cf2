"""WaveNet as a recognizer of raw sound (van den Oord et al. 2016, arXiv:1609.03499, section 3.4).

Stacks of dilated causal convolutions, each gated, with residual and skip connections; the mean over blocks of samples,
causal convolutions over those, and the mean over the clip. Three departures: the first convolution may stride (`hop`; 1
is the paper's), which divides the cost of all that follows; the convolutions after the mean are causal too; the clip
has one label, and no second loss predicts the next sample.
"""

import dataclasses

import keras
from keras import layers, ops

from tfrec.architectures.base import MaskedMean, MaskFrames, ModelConfig, StrideMask, check, sequence_inputs

TAKES = ("waveform",)
CAUSAL = {"wavenet": "final_relu1"}  # the layer whose output never depends on later samples
KERNEL = 3  # frames that a convolution after the mean sees


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Dilated causal convolutions over samples."""

    hop: int = 16  # samples from one step to the next; the first convolution sees twice as many
    channels: int = 32  # of the residual connections, and of both sides of the gates
    skip_channels: int = 64  # of the skip connections and all after them
    layers: int = 6  # in a stack, dilated by 1, 2, 4, ... steps
    stacks: int = 2  # of layers, one after another
    block: int = 5  # steps whose mean is one frame; 5 steps of 16 samples are 10 ms at 8 kHz
    convolutions: int = 2  # over those frames
    dropout: float = 0.1  # fraction, before the logits


def receptive_field(config):
    """How many samples a frame depends on before the mean over the clip, back from its last step."""
    steps = 2 + config.stacks * (2**config.layers - 1)  # two hops of the first convolution
    frames = config.convolutions * (KERNEL - 1)
    return config.hop * (steps + config.block - 1 + frames * config.block)


def describe(config):
    """What a user should know of a configuration before training starts."""
    return f"receptive field {receptive_field(config):,} samples"


def build(input_shape, num_classes, config):
    """Waveforms (batch, samples, 1), in about [-1, 1] -> logits (batch, num_classes).

    `input_shape` is `(samples, 1)`; `samples` may be None. The input is a dict with "features" and "frames" (batch,),
    the true number of samples; what lies past it never changes the logits. Raises ValueError for another shape.
    """
    check(len(input_shape) == 2 and input_shape[1] == 1, "wavenet takes (samples, 1)", input_shape)
    names = ("hop", "channels", "skip_channels", "layers", "stacks", "block")
    sizes = {name: getattr(config, name) for name in names}
    check(min(sizes.values()) > 0, "wavenet's sizes must be positive", sizes)
    check(config.convolutions >= 0, "model.convolutions must be at least 0", config.convolutions)
    inputs, x, mask = sequence_inputs(input_shape)
    # "causal" pads on the left alone, so step t sees samples up to t * hop whatever the length.
    x = layers.Conv1D(config.channels, 2 * config.hop, config.hop, "causal", name="stem_conv")(x)
    if config.hop > 1:
        mask = StrideMask(config.hop, name="stem_mask")(mask)
    x = stacks(x, config)
    x = layers.ReLU(name="skip_relu")(x)
    x = layers.Dense(config.skip_channels, "relu", name="skip_point")(x)
    x = BlockMean(config.block, name="frames_mean")(x, mask)
    mask = StrideMask(config.block, name="frames_mask")(mask)
    for i in range(config.convolutions):
        x = layers.Conv1D(config.skip_channels, KERNEL, padding="causal", name=f"final_conv{i}")(x)
        x = layers.ReLU(name=f"final_relu{i}")(x)
    x = MaskedMean(name="embedding")(x, mask)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="wavenet")


def stacks(x, config, mask=None):
    """The sum of what all layers skip (figure 4): (batch, steps, channels) -> (batch, steps, skip_channels).

    With a mask (batch, steps) the convolutions are not causal: they see as far ahead as back, and 0 past a clip's end.
    """
    skipped = []
    for stack in range(config.stacks):
        for i in range(config.layers):
            name = f"stack{stack}_{i}"
            x = x if mask is None else MaskFrames(name=f"{name}_clip")(x, mask)
            y = GatedDilation(config.channels, 2**i, mask is None, name=f"{name}_gated")(x)
            skipped.append(layers.Dense(config.skip_channels, name=f"{name}_skip")(y))
            if len(skipped) < config.stacks * config.layers:  # nobody reads on from the last
                y = layers.Dense(config.channels, name=f"{name}_residual")(y)
                x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Add(name="skip_add")(skipped) if len(skipped) > 1 else skipped[0]


@keras.saving.register_keras_serializable("tfrec")
class GatedDilation(layers.Layer):
    """A dilated convolution of two steps and its gate, tanh(W x) sigmoid(V x) (equation 2); of three if not `causal`.

    (batch, steps, channels) -> (batch, steps, `units`): step t depends on steps t and t - `dilation`, and on t +
    `dilation` if not `causal`. It is one dense layer over those steps, since TensorFlow takes a dilated convolution
    apart and together again on the CPU.
    """

    def __init__(self, units, dilation, causal=True, **kwargs):
        super().__init__(**kwargs)
        check(units > 0 and dilation > 0, "GatedDilation's units and dilation must be positive", (units, dilation))
        self.units, self.dilation, self.causal = units, dilation, causal
        self.project = layers.Dense(2 * units, dtype=self.dtype_policy, name="project")

    def build(self, x_shape):
        """Makes the weights."""
        self.project.build((*x_shape[:-1], (2 if self.causal else 3) * x_shape[-1]))

    def call(self, x):
        """Before the first step and after the last there is silence."""
        seen = [ops.pad(x, ((0, 0), (self.dilation, 0), (0, 0)))[:, : ops.shape(x)[1]], x]
        if not self.causal:
            seen.append(ops.pad(x, ((0, 0), (0, self.dilation), (0, 0)))[:, self.dilation :])
        signal, gate = ops.split(self.project(ops.concatenate(seen, axis=-1)), 2, axis=-1)
        return ops.tanh(signal) * ops.sigmoid(gate)

    def compute_output_shape(self, x_shape):
        """(batch, steps, units)."""
        return (*x_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units, "dilation": self.dilation, "causal": self.causal}


@keras.saving.register_keras_serializable("tfrec")
class BlockMean(layers.Layer):
    """Means over blocks of true steps, the first from step 0 on, the last perhaps shorter.

    (batch, steps, units) and mask (batch, steps) -> (batch, ceil(steps / size), units). A pooling with "same" padding
    starts before step 0, by how much depending on the length.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        check(size > 0, "BlockMean's size must be positive", size)
        self.size = size

    def call(self, x, keep):
        """Sums over true steps divided by their number."""
        units, blocks = x.shape[-1], (ops.shape(x)[1] + self.size - 1) // self.size
        x = ops.where(keep[:, :, None], ops.cast(x, "float32"), 0.0)
        both = ops.concatenate([x, ops.cast(keep, "float32")[:, :, None]], axis=-1)
        both = ops.pad(both, ((0, 0), (0, self.size - 1), (0, 0)))[:, : blocks * self.size]
        sums = ops.sum(ops.reshape(both, (-1, blocks, self.size, units + 1)), axis=2)
        return ops.cast(sums[..., :-1] / ops.maximum(sums[..., -1:], 1.0), self.compute_dtype)

    def compute_output_shape(self, x_shape, keep_shape=None):
        """One step of `size`."""
        steps = x_shape[1]
        return (x_shape[0], None if steps is None else -(-steps // self.size), x_shape[2])

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size}
