"""Listen, Attend and Spell (Chan et al. 2015, arXiv:1508.01211), trained jointly with CTC.

The encoder, the paper's listener, is a bidirectional LSTM and, above it, pyramidal ones, each of which reads the states
below it in pairs and so halves time. The decoder, the paper's speller, is an LSTM that attends to the encoder's states.
The paper has three pyramidal layers of 512 units and a decoder of two layers of 512; here there are two, because CTC,
which the paper does not have, needs a step for every character. The CTC head on the encoder helps it to learn early
which step belongs to which token (Watanabe et al. 2017, IEEE JSTSP 11(8), pages 1240-1253).
"""

import dataclasses

import keras
from keras import layers, ops

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.attention_lstm_decoder import lstm_decoder
from tfrec.architectures.layers.ctc_head import ctc_head
from tfrec.architectures.layers.masking import MaskFrames, StrideMask, sequence_inputs
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("sequence",)
OUTPUT_KIND = "sequence"
PARAMETERS = {"sequence": {"las": 3_770_874}}
SEARCH_SPACE = {"units": "*0.5..2:log", "decoder": "*0.5..2:log", "dropout": "0..0.4"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """An encoder that halves time, and a decoder."""

    units: int = 160  # of every layer of the encoder, in each direction; the paper has 256
    depth: int = 3  # layers of the encoder
    pyramid: int = 2  # number of layers that halve time, the upper ones
    decoder: int = 256  # units of every layer of the decoder
    decoder_depth: int = 2  # layers of the decoder
    width: int = 128  # units of a token, of the attention, and of the layer before the decoder's logits
    dropout: float = 0.2  # fraction, after every layer


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Log-mel (batch, frames, mels) and tokens (batch, length) -> the logits of CTC and of the decoder.

    The input is a dict with "features", "frames" (batch,), the true number of frames, and "tokens", int32, the tokens
    so far with 0 first. The output is {"logits": (batch, steps, outputs), "steps": int32 (batch,), "decoder": (batch,
    length, outputs), the logits of the token after each}. Steps are frames halved `pyramid` times, rounded up. Frames
    past a clip's end change none of its own outputs.

    Args:
        input_shape: `(frames, mels)`; `frames` may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "las takes (frames, mels)", input_shape)
    sizes = (config.units, config.depth, config.decoder, config.decoder_depth, config.width)
    check(min(sizes) > 0, "model.units, depth, decoder, decoder_depth and width must be positive", sizes)
    check(
        0 <= config.pyramid <= config.depth,
        f"model.pyramid must be from 0 to the {config.depth} layers of the encoder",
        config.pyramid,
    )
    inputs, x, mask = sequence_inputs(input_shape)
    inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
    x, mask = _pyramidal_encoder(x, mask, config)
    encoded, result = ctc_head(x, mask, outputs, config.dropout)
    result["decoder"] = lstm_decoder(
        encoded,
        result["steps"],
        inputs["tokens"],
        outputs,
        config.decoder,
        config.decoder_depth,
        config.width,
        config.dropout,
    )
    return keras.Model(inputs, result, name="las")


def _pyramidal_encoder(x: Tensor, mask: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """Frames (batch, frames, n), 0 past the end, and mask (batch, frames) -> (batch, steps, units) and (batch, steps).

    Equation 5: a layer of the pyramid reads the states below it in pairs, a last odd one with zeros.
    """
    for i in range(config.depth):
        name = f"listen{i}"
        if i >= config.depth - config.pyramid:
            x, mask = JoinPairs(name=f"{name}_pairs")(x), StrideMask(2, name=f"{name}_mask")(mask)
        lstm = layers.LSTM(config.units, return_sequences=True, name=name)
        x = layers.Bidirectional(lstm, name=name)(x, mask=mask)
        if i < config.depth - 1:
            x = MaskFrames(name=f"{name}_clip")(x, mask)  # zeros on every device; also ends Keras's implicit mask
            x = layers.Dropout(config.dropout, name=f"{name}_dropout")(x)
    return x, mask


@keras.saving.register_keras_serializable("tfrec")
class JoinPairs(layers.Layer):
    """Concatenates pairs of frames: (batch, frames, n) -> (batch, ceil(frames / 2), 2 n), a last odd one with zeros."""

    def call(self, x: Tensor) -> Tensor:
        """Frames 2 i and 2 i + 1, one after the other."""
        frames = ops.shape(x)[1]
        x = ops.pad(x, ((0, 0), (0, 1), (0, 0)))  # cut off again where the number of frames is even
        return ops.reshape(x[:, : (frames + 1) // 2 * 2], (-1, (frames + 1) // 2, 2 * x.shape[-1]))

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """Half as many frames of twice the units."""
        batch, frames, units = x_shape
        return (batch, None if frames is None else (frames + 1) // 2, None if units is None else 2 * units)
