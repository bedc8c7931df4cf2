"""Conformers with a CTC head (Gulati et al. 2020, arXiv:2005.08100), with or without a decoder.

`conformer_ctc` is the encoder of the paper's S with a CTC head: 16 blocks of 144 units with 4 heads. Its first
convolutions have 32 channels; the paper has as many as units, which would be a third of all the work.

`conformer_s`, `_m` and `_l` are those of table 1, with a decoder of one LSTM. In the paper it is the prediction network
of a transducer; here it attends to the encoder as in Listen, Attend and Spell, in addition to a CTC head. With 80 mels
and 1,000 word pieces they have 10.1, 31.5 and 122.1 million weights; the paper's have 10.3, 30.7 and 118.8. In all of
them the depthwise convolution sees 31 steps where the paper has 32, since only an odd window is centered on a step.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.attention import check_heads
from tfrec.architectures.layers.attention_lstm_decoder import lstm_decoder
from tfrec.architectures.layers.conformer import conformer_block
from tfrec.architectures.layers.ctc_head import IntermediateCTC, StackConfig, ctc_head
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.subsampling import subsample
from tfrec.architectures.types import Shape

INPUT_KINDS = ("sequence",)
OUTPUT_KIND = "sequence"
PARAMETERS = {
    "sequence": {
        "conformer_ctc": 8_211_549,
        "conformer_s": 9_634_714,
        "conformer_m": 30_756_922,
        "conformer_l": 120_590_906,
    }
}
# A step of half a width keeps every width divisible by the heads that share it.
SEARCH_SPACE = {"width": "*0.5..1.5:step=0.5", "depth": "*0.5..1.5", "dropout": "0..0.3"}


@dataclasses.dataclass(frozen=True)
class Config(StackConfig):
    """Conformer blocks over frames, a CTC head, and optionally a decoder."""

    width: int = 144  # units of a step
    depth: int = 16  # blocks
    heads: int = 4  # of the attention; they share the width
    kernel: int = 31  # steps that the depthwise convolution sees; odd
    expansion: int = 4  # hidden units of each feed-forward, as a multiple of the width
    subsampling: int = 4  # frames per step: 1, 2 or 4
    filters: int = 32  # channels of the subsampling convolutions
    dropout: float = 0.1  # fraction, of the output of each part of a block and before the logits
    decoder: int = 0  # units of an LSTM decoder with attention; 0 for CTC only


SMALL = Config(filters=144, decoder=320)
MEDIUM = Config(width=256, filters=256, decoder=640)
LARGE = Config(width=512, depth=17, heads=8, filters=512, decoder=640)


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, mels) -> {"logits": (batch, steps, outputs), "steps": int32 (batch,)}.

    Steps are ceil(frames / subsampling). With `intermediate` further outputs "intermediateN" hold the logits after
    block N. With `decoder` there are another input "tokens", int32 (batch, length), the tokens so far with 0 first, and
    another output "decoder" (batch, length, outputs), the logits of the token after each.

    Args:
        input_shape: `(frames, mels)`; `frames` may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model; its input is a dict with "features" and "frames" (batch,), the true number of frames. Frames
        past it never change the logits of a clip's own steps.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    _check(input_shape, config)
    inputs, x, mask = sequence_inputs(input_shape)
    x, mask = subsample(x, mask, config.width, config.filters, config.subsampling)
    if config.dropout:
        x = layers.Dropout(config.dropout, name="stem_dropout")(x)
    ctc = IntermediateCTC(config, config.depth, outputs)
    for i in range(config.depth):
        x = conformer_block(x, mask, config.heads, config.kernel, f"block{i}", config.expansion, config.dropout)
        x = ctc.between(x, i + 1)
    encoded, result = ctc_head(x, mask, outputs, config.dropout, ctc)
    if config.decoder:
        inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
        result["decoder"] = lstm_decoder(
            encoded,
            result["steps"],
            inputs["tokens"],
            outputs,
            units=config.decoder,
            depth=1,
            width=config.width,
            dropout=config.dropout,
        )
    return keras.Model(inputs, result, name="conformer_asr")


def _check(input_shape: Shape, config: Config) -> None:
    """Raises ValueError for sizes that make no network."""
    check(len(input_shape) == 2, "conformer_ctc takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.heads, config.kernel, config.filters, config.expansion)
    check(min(sizes) > 0, "model.width, depth, heads, kernel, filters and expansion must be positive", sizes)
    check_heads(config.width, config.heads)
    check(config.decoder >= 0, "model.decoder must not be negative", config.decoder)
