"""Conformers for transcription (Gulati et al. 2020, arXiv:2005.08100): the paper's encoder and CTC, or a decoder too.

`conformer_ctc` is the encoder of the paper's S with a CTC head: 16 blocks of 144 units with 4 heads. Its first
convolutions have 32 channels; the paper has as many as units, which would be a third of all the work.

`conformer_s`, `_m` and `_l` are those of table 1, with one LSTM that decodes. There it is the prediction network of a
transducer; here it looks at the encoder as in Listen, Attend and Spell, beside a CTC head. With 80 mels and 1,000 word
pieces they have 10.1, 31.5 and 122.1 million weights, the paper's 10.3, 30.7 and 118.8. In all of them the depthwise
convolution sees 31 steps where the paper has 32: only an odd number lies evenly around a step.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.base import ModelConfig, check, sequence_inputs
from tfrec.architectures.conformer_block import conformer_block, subsample
from tfrec.architectures.parts import ctc_head
from tfrec.architectures.speller import lstm_decoder
from tfrec.architectures.transformer import check_heads

TAKES = ("sequence",)
GIVES = "tokens"


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """Conformer blocks over frames, a CTC head, and perhaps a decoder."""

    width: int = 144  # units of a step
    depth: int = 16  # blocks
    heads: int = 4  # of the attention; they share the width
    kernel: int = 31  # steps that the depthwise convolution sees; odd
    expansion: int = 4  # units inside each feed-forward, in widths
    subsampling: int = 4  # how many frames become one step: 1, 2 or 4
    filters: int = 32  # channels of the convolutions that do it
    dropout: float = 0.1  # fraction, of what each part of a block adds and before the logits
    intermediate: int = 0  # the CTC head reads this block's result too, for a second loss (arXiv:2102.03216); 0: none
    decoder: int = 0  # units of an LSTM that decodes with attention; 0: none, CTC alone


SMALL = Config(filters=144, decoder=320)
MEDIUM = Config(width=256, filters=256, decoder=640)
LARGE = Config(width=512, depth=17, heads=8, filters=512, decoder=640)


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) -> {"logits": (batch, steps, num_classes), "steps": int32 (batch,)}.

    `input_shape` is `(frames, mels)`; `frames` may be None; steps are ceil(frames / subsampling). The input is a dict
    with "features" and "frames" (batch,), the true number of frames; what lies past it never changes the logits of a
    clip's own steps. With `intermediate` there is another output of that name, the logits, of the same head, after that
    block. With `decoder` there are another input "tokens", int32 (batch, length), what was said so far, 0 first, and
    another output "decoder" (batch, length, num_classes), the logits of the token after each. Raises ValueError for
    another rank and for sizes that make no network.
    """
    _check(input_shape, config)
    inputs, x, mask = sequence_inputs(input_shape)
    x, mask = subsample(x, mask, config.width, config.filters, config.subsampling)
    if config.dropout:
        x = layers.Dropout(config.dropout, name="stem_dropout")(x)
    block = {"expansion": config.expansion, "dropout": config.dropout}
    after = [x]
    for i in range(config.depth):
        after.append(conformer_block(after[-1], mask, config.heads, config.kernel, f"block{i}", **block))
    encoded, outputs, head = ctc_head(after[-1], mask, num_classes, config.dropout)
    if config.intermediate:
        outputs["intermediate"] = head(after[config.intermediate])
    if config.decoder:
        inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
        outputs["decoder"] = lstm_decoder(
            encoded,
            outputs["steps"],
            inputs["tokens"],
            num_classes,
            units=config.decoder,
            depth=1,
            width=config.width,
            dropout=config.dropout,
        )
    return keras.Model(inputs, outputs, name="conformer_asr")


def _check(input_shape, config):
    """Raises ValueError for sizes that make no network."""
    check(len(input_shape) == 2, "conformer_ctc takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.heads, config.kernel, config.filters, config.expansion)
    check(min(sizes) > 0, "model.width, depth, heads, kernel, filters and expansion must be positive", sizes)
    check_heads(config.width, config.heads)
    check(config.decoder >= 0, "model.decoder must not be negative", config.decoder)
    check(
        0 <= config.intermediate < config.depth,
        f"model.intermediate must be 0 or a block before the last of {config.depth}",
        config.intermediate,
    )
