"""WaveNet under CTC (van den Oord et al. 2016, arXiv:1609.03499, section 3.4).

From raw waveforms as in the paper: stacks of dilated convolutions, means over 10 ms, and more convolutions. From
log-mel, whose frames are 10 ms, the stacks run over frames. Departures: the paper labels frames and also predicts the
next sample; here there is batch normalization over true steps before and after the stacks, the frames are shortened
further (`subsampling`), the first convolution over samples may stride (`hop`), and the convolutions, which are causal
in the paper, see both ways unless `causal`.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.ctc_head import ctc_head
from tfrec.architectures.layers.masking import MaskFrames, StrideMask, sequence_inputs
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.speech import wavenet
from tfrec.architectures.speech.wavenet import KERNEL, BlockMean, dilated_stacks
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("sequence", "waveform")
OUTPUT_KIND = "sequence"
PARAMETERS = {"sequence": {"wavenet_ctc": 1_161_885}, "waveform": {"wavenet_ctc": 1_148_573}}
SEARCH_SPACE = {"channels": "*0.5..2:log", "layers": "4..7", "stacks": "2..4", "dropout": "0..0.4"}


@dataclasses.dataclass(frozen=True)
class Config(wavenet.Config):
    """Dilated convolutions over frames or samples."""

    hop: int = 16  # of waveforms: samples from one step to the next; the first convolution sees twice as many
    channels: int = 64  # of the residual connections, and of both sides of the gates
    skip_channels: int = 256  # of the skip connections and all layers after them
    layers: int = 5  # in a stack, dilated by 1, 2, 4, ... steps
    stacks: int = 3  # of layers, one after another
    block: int = 10  # of waveforms: steps whose mean is one frame; 10 of 16 samples are 10 ms at 16 kHz
    dropout: float = 0.2  # fraction, before the logits
    causal: bool = False  # no output depends on later input
    subsampling: int = 2  # frames of log-mel, or means over `block`, per step of the output


def look_ahead(config: Config, raw: bool = False) -> int:
    """How far beyond the frames that it covers an output step sees.

    Args:
        config: sizes of the network.
        raw: whether the input is a waveform.

    Returns:
        Maximum number of frames, or of samples if `raw`.
    """
    if config.causal:
        return 0
    steps = config.stacks * (2**config.layers - 1)
    means = config.convolutions * (KERNEL // 2) * config.subsampling
    return config.hop * (steps + means * config.block) if raw else 1 + steps + means


def describe(config: Config) -> str:
    """How far ahead a step sees."""
    step = f"one step for {config.subsampling} frames of log-mel"
    if config.causal:
        return f"{step}, with no look-ahead"
    return f"{step} that sees {look_ahead(config)} frames ahead, or {look_ahead(config, raw=True):,} samples"


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, bins) or waveforms (batch, samples, 1) -> logits for CTC.

    The output is {"logits": (batch, steps, outputs), "steps": int32 (batch,)}. Steps are ceil(frames / subsampling), or
    ceil(samples / (hop * block * subsampling)).

    Args:
        input_shape: `(frames, bins)` or `(samples, 1)`; the first may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of frames or
        samples. Frames past it never change the logits of a clip's own steps.

    Raises:
        ValueError: for another rank and for sizes that make no network.
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
    x = dilated_stacks(x, config, None if config.causal else mask)
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
    _, result = ctc_head(x, mask, outputs, config.dropout)
    return keras.Model(inputs, result, name="wavenet_ctc")


def _stem(x: Tensor, mask: Tensor, config: Config, padding: str) -> tuple[Tensor, Tensor, int]:
    """The first convolution: steps (batch, steps, channels), their mask, and the number of steps per output step."""
    if x.shape[2] > 1:
        x = layers.Conv1D(config.channels, KERNEL, padding=padding, use_bias=False, name="stem_conv")(x)
        return x, mask, config.subsampling
    # A "causal" window ends at sample t * hop whatever the length.
    x = layers.Conv1D(config.channels, 2 * config.hop, config.hop, "causal", use_bias=False, name="stem_conv")(x)
    if config.hop > 1:
        mask = StrideMask(config.hop, name="stem_mask")(mask)
    return x, mask, config.block * config.subsampling
