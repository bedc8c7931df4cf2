"""WaveNet that transcribes (van den Oord et al. 2016, arXiv:1609.03499, section 3.4), under CTC.

From raw sound as in the paper: stacks of dilated convolutions, means over 10 ms, a few convolutions more. From log-mel,
whose frames are 10 ms already, the stacks run over frames. Departures: the paper labels frames and predicts the next
sample besides; here batch normalization over true steps stands before and after the stacks, the frames are brought
together further (`subsampling`), the first convolution over samples may stride (`hop`), and what the paper has causal
for raw sound sees both ways unless `causal`.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import MaskFrames, StrideMask, batch_norm, check, sequence_inputs
from tfrec.architectures.parts import ctc_head
from tfrec.architectures.speech import wavenet
from tfrec.architectures.speech.wavenet import KERNEL, BlockMean, stacks

TAKES = ("sequence", "waveform")
GIVES = "tokens"


@dataclasses.dataclass(frozen=True)
class Config(wavenet.Config):
    """Dilated convolutions over frames or samples."""

    hop: int = 16  # samples from one step to the next where raw sound comes in; the first convolution sees twice that
    channels: int = 64  # of the residual connections, and of both sides of the gates
    skip_channels: int = 256  # of the skip connections and all after them
    layers: int = 5  # in a stack, dilated by 1, 2, 4, ... steps
    stacks: int = 3  # of layers, one after another
    block: int = 10  # steps whose mean is one frame where raw sound comes in; 10 of 16 samples are 10 ms at 16 kHz
    dropout: float = 0.2  # fraction, before the logits
    causal: bool = False  # nothing sees the future
    subsampling: int = 2  # how many frames of log-mel, or means over `block`, become one step of the answer


def look_ahead(config, raw=False):
    """How many frames of log-mel, or samples if `raw`, the answer sees at most beyond those that it stands for."""
    if config.causal:
        return 0
    steps = config.stacks * (2**config.layers - 1)
    means = config.convolutions * (KERNEL // 2) * config.subsampling
    return config.hop * (steps + means * config.block) if raw else 1 + steps + means


def describe(config):
    """What a user should know of a configuration before training starts."""
    step = f"one step for {config.subsampling} frames of log-mel"
    if config.causal:
        return f"{step}, with no look-ahead"
    return f"{step} that sees {look_ahead(config)} frames ahead, or {look_ahead(config, raw=True):,} samples"


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, bins) or waveforms (batch, samples, 1) -> logits for CTC.

    {"logits": (batch, steps, num_classes), "steps": int32 (batch,)}. `input_shape` is without the batch; its first may
    be None. The input is a dict with "features" and "frames" (batch,), the true number of frames or samples; what lies
    past it never changes the logits of a clip's own steps. Steps are ceil(frames / subsampling), or ceil(samples /
    (hop * block * subsampling)). Raises ValueError for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "wavenet_ctc takes (frames, bins) or (samples, 1)", input_shape)
    names = ("hop", "channels", "skip_channels", "layers", "stacks", "block", "subsampling")
    sizes = {name: getattr(config, name) for name in names}
    check(min(sizes.values()) > 0, "wavenet_ctc's sizes must be positive", sizes)
    check(config.convolutions >= 0, "model.convolutions must be at least 0", config.convolutions)
    padding = "causal" if config.causal else "same"
    inputs, x, mask = sequence_inputs(input_shape)
    x, mask, block = _stem(x, mask, config, padding)
    x = MaskFrames(name="stem_clip")(batch_norm("stem_norm")(x, mask=mask), mask)
    x = stacks(x, config, None if config.causal else mask)
    x = MaskFrames(name="skip_clip")(batch_norm("skip_norm")(x, mask=mask), mask)
    x = layers.ReLU(name="skip_relu")(x)
    x = layers.Dense(config.skip_channels, "relu", name="skip_point")(x)
    x = BlockMean(block, name="frames_mean")(x, mask)
    if block > 1:
        mask = StrideMask(block, name="frames_mask")(mask)
    for i in range(config.convolutions):
        x = MaskFrames(name=f"final_clip{i}")(x, mask)
        x = layers.Conv1D(config.skip_channels, KERNEL, padding=padding, use_bias=False, name=f"final_conv{i}")(x)
        x = layers.ReLU(name=f"final_relu{i}")(batch_norm(f"final_norm{i}")(x, mask=mask))
    _, outputs, _ = ctc_head(x, mask, num_classes, config.dropout)
    return keras.Model(inputs, outputs, name="wavenet_ctc")


def _stem(x, mask, config, padding):
    """The first convolution: steps (batch, steps, channels), their mask, and how many of them one answer stands for."""
    if x.shape[2] > 1:
        x = layers.Conv1D(config.channels, KERNEL, padding=padding, use_bias=False, name="stem_conv")(x)
        return x, mask, config.subsampling
    # A "causal" window ends at sample t * hop whatever the length.
    x = layers.Conv1D(config.channels, 2 * config.hop, config.hop, "causal", use_bias=False, name="stem_conv")(x)
    if config.hop > 1:
        mask = StrideMask(config.hop, name="stem_mask")(mask)
    return x, mask, config.block * config.subsampling
