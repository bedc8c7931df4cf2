"""Transformer with an encoder and a decoder, trained jointly with CTC (Dong et al. 2018, ICASSP, pages 5884-5888).

The layers are those of Vaswani et al. 2017 (arXiv:1706.03762) with the normalization before each part; convolutions
before the encoder shorten time by 4. The encoder has a CTC head in addition to the decoder, which helps it to learn
early which step belongs to which token (Watanabe et al. 2017, IEEE JSTSP 11(8), pages 1240-1253). The defaults are for
small corpora on a small machine; the paper has 12 blocks of 256 units, 4 heads and 2,048 hidden units, and 6 blocks in
the decoder.
"""

import dataclasses
import math

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.attention import check_heads
from tfrec.architectures.layers.ctc_head import IntermediateCTC, StackConfig, ctc_head
from tfrec.architectures.layers.masking import sequence_inputs
from tfrec.architectures.layers.positions import SinusoidalPosition
from tfrec.architectures.layers.subsampling import subsample
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.layers.transformer_decoder import transformer_decoder
from tfrec.architectures.types import Shape

INPUT_KINDS = ("sequence",)
OUTPUT_KIND = "sequence"
PARAMETERS = {"sequence": {"speech_transformer": 4_006_298}}
# A step of half a width keeps every width divisible by the heads that share it.
SEARCH_SPACE = {"width": "*0.5..1.5:step=0.5", "depth": "*0.5..1.5", "dropout": "0..0.3"}


@dataclasses.dataclass(frozen=True)
class Config(StackConfig):
    """A Transformer's encoder over frames and its decoder over tokens."""

    width: int = 192  # units of a step and of a token
    depth: int = 6  # blocks of the encoder
    decoder_depth: int = 2  # blocks of the decoder
    heads: int = 4  # of the attention; they share the width
    expansion: int = 4  # units between the two dense layers of a block, as a multiple of the width
    subsampling: int = 4  # frames per step: 1, 2 or 4
    filters: int = 32  # channels of the subsampling convolutions
    dropout: float = 0.1  # fraction, of the output of each part of a block and before the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, mels) and tokens (batch, length) -> the logits of CTC and of the decoder.

    The input is a dict with "features", "frames" (batch,), the true number of frames, and "tokens", int32, the tokens
    so far with 0 first. The output is {"logits": (batch, steps, outputs), "steps": int32 (batch,), "decoder": (batch,
    length, outputs), the logits of the token after each}, with `intermediate` also "intermediateN", the logits of CTC
    after block N of the encoder. Frames past a clip's end change none of its own outputs.

    Args:
        input_shape: `(frames, mels)`; `frames` may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "speech_transformer takes (frames, mels)", input_shape)
    sizes = (config.width, config.depth, config.decoder_depth, config.heads, config.expansion, config.filters)
    check(min(sizes) > 0, "model.width, depth, decoder_depth, heads, expansion and filters must be positive", sizes)
    check_heads(config.width, config.heads)
    inputs, x, mask = sequence_inputs(input_shape)
    inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
    x, mask = subsample(x, mask, config.width, config.filters, config.subsampling)
    # Section 3.4 of Vaswani et al.; otherwise the positions are larger than the features.
    x = layers.Rescaling(math.sqrt(config.width), name="stem_scale")(x)
    x = layers.Dropout(config.dropout, name="stem_dropout")(SinusoidalPosition(name="stem_position")(x))
    attention = {"heads": config.heads, "size": config.width // config.heads}
    units = config.expansion * config.width
    ctc = IntermediateCTC(config, config.depth, outputs)
    norm = layers.LayerNormalization(epsilon=1e-6, name="final_norm")
    for i in range(config.depth):
        x = transformer_block(x, attention, units, f"block{i}", dropout=config.dropout, keep=mask)
        x = ctc.between(x, i + 1, norm)
    encoded, result = ctc_head(norm(x), mask, outputs, config.dropout, ctc)
    result["decoder"] = transformer_decoder(
        encoded,
        result["steps"],
        inputs["tokens"],
        outputs,
        config.decoder_depth,
        config.heads,
        config.expansion,
        config.dropout,
    )
    return keras.Model(inputs, result, name="speech_transformer")
