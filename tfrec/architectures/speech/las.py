"""Listen, Attend and Spell (Chan et al. 2015, arXiv:1508.01211), trained jointly with CTC.

The listener is a bidirectional LSTM and, above it, pyramidal ones, each of which reads its lower neighbor's states in
pairs and so halves time. The speller is an LSTM that looks at the listener's states. The paper has three pyramidal
layers of 512 units and a speller of two layers of 512; here there are two, because CTC, which the paper does not have,
needs a step for every character. Its head sits on the listener and teaches it early which step says what (Watanabe et
al. 2017, IEEE JSTSP 11(8), pages 1240-1253).
"""

import dataclasses

import keras
from keras import layers, ops

from tfrec.architectures.base import MaskFrames, ModelConfig, StrideMask, check, sequence_inputs
from tfrec.architectures.parts import ctc_head
from tfrec.architectures.speller import lstm_decoder

TAKES = ("sequence",)
GIVES = "tokens"


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """A listener that halves time, and a speller."""

    units: int = 160  # of every layer of the listener, in each direction; the paper has 256
    depth: int = 3  # layers of the listener
    pyramid: int = 2  # how many of them, the upper ones, halve time
    decoder: int = 256  # units of every layer of the speller
    decoder_depth: int = 2  # layers of the speller
    width: int = 128  # units of a token, of the attention, and of the layer before the speller's logits
    dropout: float = 0.2  # fraction, after every layer


def build(input_shape, num_classes, config):
    """Log-mel (batch, frames, mels) and tokens (batch, length) -> the logits of CTC and of the speller.

    `input_shape` is `(frames, mels)`; `frames` may be None; steps are frames halved `pyramid` times, rounded up. The
    input is a dict with "features", "frames" (batch,), the true number of frames, and "tokens", int32, what was said
    so far, 0 first. The output is {"logits": (batch, steps, num_classes), "steps": int32 (batch,), "decoder": (batch,
    length, num_classes), the logits of the token after each}; what lies past a clip's end changes nothing of its own.
    Raises ValueError for another rank and for sizes that make no network.
    """
    check(len(input_shape) == 2, "las takes (frames, mels)", input_shape)
    sizes = (config.units, config.depth, config.decoder, config.decoder_depth, config.width)
    check(min(sizes) > 0, "model.units, depth, decoder, decoder_depth and width must be positive", sizes)
    check(
        0 <= config.pyramid <= config.depth,
        f"model.pyramid must be from 0 to the {config.depth} layers of the listener",
        config.pyramid,
    )
    inputs, x, mask = sequence_inputs(input_shape)
    inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
    x, mask = listener(x, mask, config)
    encoded, outputs, _ = ctc_head(x, mask, num_classes, config.dropout)
    outputs["decoder"] = lstm_decoder(
        encoded,
        outputs["steps"],
        inputs["tokens"],
        num_classes,
        config.decoder,
        config.decoder_depth,
        config.width,
        config.dropout,
    )
    return keras.Model(inputs, outputs, name="las")


def listener(x, mask, config):
    """Frames (batch, frames, n), 0 past the end, and mask (batch, frames) -> (batch, steps, units) and (batch, steps).

    Equation 5: a layer of the pyramid reads the states below it in pairs, the last one with zeros where it is alone.
    """
    for i in range(config.depth):
        name = f"listen{i}"
        if i >= config.depth - config.pyramid:
            x, mask = JoinPairs(name=f"{name}_pairs")(x), StrideMask(2, name=f"{name}_mask")(mask)
        lstm = layers.LSTM(config.units, return_sequences=True, name=name)
        x = layers.Bidirectional(lstm, name=name)(x, mask=mask)
        if i < config.depth - 1:
            x = MaskFrames(name=f"{name}_clip")(x, mask)  # zeros on every device, and Keras takes the mask no further
            x = layers.Dropout(config.dropout, name=f"{name}_dropout")(x)
    return x, mask


@keras.saving.register_keras_serializable("tfrec")
class JoinPairs(layers.Layer):
    """Neighbors become one: (batch, frames, n) -> (batch, ceil(frames / 2), 2 n), zeros beside a last odd one."""

    def call(self, x):
        """Frames 2 i and 2 i + 1, one after the other."""
        frames = ops.shape(x)[1]
        x = ops.pad(x, ((0, 0), (0, 1), (0, 0)))  # one too many where frames are even; it is cut off again
        return ops.reshape(x[:, : (frames + 1) // 2 * 2], (-1, (frames + 1) // 2, 2 * x.shape[-1]))

    def compute_output_shape(self, x_shape):
        """Half as many frames of twice the units."""
        batch, frames, units = x_shape
        return (batch, None if frames is None else (frames + 1) // 2, 2 * units)
