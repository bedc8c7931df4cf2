"""Transformer with an encoder and a decoder, trained jointly with CTC (Dong et al. 2018, ICASSP, pages 5884-5888).

The layers are those of Vaswani et al. 2017 (arXiv:1706.03762) with the normalization before each part; convolutions in
front shorten time by 4. Beside the decoder the encoder has a CTC head, which teaches it early which step says what
(Watanabe et al. 2017, IEEE JSTSP 11(8), pages 1240-1253). The defaults are for small corpora on a small machine; the
paper has 12 blocks of 256 units, 4 heads and 2,048 units inside, and 6 blocks that decode.
"""

import dataclasses
import math

import keras
from keras import layers

from tfrec.architectures.base import ModelConfig, check, sequence_inputs
from tfrec.architectures.conformer_block import subsample
from tfrec.architectures.parts import ctc_head
from tfrec.architectures.transformer import SinusoidalPosition, check_heads, transformer_block
from tfrec.architectures.transformer_decoder import transformer_decoder

TAKES = ("sequence",)
GIVES = "tokens"


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """A Transformer that listens and writes."""

    width: int = 192  # units of a step and of a token
    depth: int = 6  # blocks of the encoder
    decoder_depth: int = 2  # blocks of the decoder
    heads: int = 4  # of the attention; they share the width
    expansion: int = 4  # units between the two dense layers of a block, in widths
    subsampling: int = 4  # how many frames become one step: 1, 2 or 4
    filters: int = 32  # channels of the convolutions that do it
    dropout: float = 0.1  # fraction, of what each part of a block adds and before the logits


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) and tokens (batch, length) -> the logits of CTC and of the decoder.

    `input_shape` is `(frames, mels)`; `frames` may be None; steps are ceil(frames / subsampling). The input is a dict
    with "features", "frames" (batch,), the true number of frames, and "tokens", int32, what was said so far, 0 first.
    The output is {"logits": (batch, steps, num_classes), "steps": int32 (batch,), "decoder": (batch, length,
    num_classes), the logits of the token after each}; what lies past a clip's end changes nothing of its own. Raises
    ValueError for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "speech_transformer takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.decoder_depth, config.heads, config.expansion, config.filters)
    check(min(sizes) > 0, "model.width, depth, decoder_depth, heads, expansion and filters must be positive", sizes)
    check_heads(config.width, config.heads)
    inputs, x, mask = sequence_inputs(input_shape)
    inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
    x, mask = subsample(x, mask, config.width, config.filters, config.subsampling)
    x = layers.Rescaling(math.sqrt(config.width), name="stem_scale")(x)  # section 3.4, or places drown what is heard
    x = layers.Dropout(config.dropout, name="stem_dropout")(SinusoidalPosition(name="stem_position")(x))
    attention = {"heads": config.heads, "size": config.width // config.heads}
    units = config.expansion * config.width
    for i in range(config.depth):
        x = transformer_block(x, attention, units, f"block{i}", dropout=config.dropout, keep=mask)
    x = layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    encoded, outputs, _ = ctc_head(x, mask, num_classes, config.dropout)
    outputs["decoder"] = transformer_decoder(
        encoded,
        outputs["steps"],
        inputs["tokens"],
        num_classes,
        config.decoder_depth,
        config.heads,
        config.expansion,
        config.dropout,
    )
    return keras.Model(inputs, outputs, name="speech_transformer")
