"""Audio-visual speech recognition: moving pictures and a clip under CTC, by early, late or cross-attention fusion.

As in Petridis et al. 2018, arXiv:1802.06424, each input has an encoder, one network for every picture and a recurrent
layer after it, or a network for speech, and recurrent layers read both together. Each step of the network for speech
goes with the picture that is shown in the middle of it. Modality dropout is that of `av_fusion`, and with late fusion
the gate, a softmax over both inputs at each step.
"""

import dataclasses
from typing import Any, Literal

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.image import cnn
from tfrec.architectures.layers.cross_attention import CrossAttention
from tfrec.architectures.layers.ctc_head import ctc_head
from tfrec.architectures.layers.masking import FrameMask, MaskFrames
from tfrec.architectures.layers.modality_dropout import INPUTS, ModalityDropout
from tfrec.architectures.layers.moving_pictures import EachPicture, GivenSteps, ShownPicture
from tfrec.architectures.multimodal import av_fusion
from tfrec.architectures.multimodal.towers import NAMES, Image, Speech, build_tower
from tfrec.architectures.speech import recurrent_ctc
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("audio_visual",)
OUTPUT_KIND = "sequence"
PARAMETERS = {"audio_visual": {"av_ctc": 1_348_685}}
SEARCH_SPACE = {"units": "32..256:step=32", "dropout": "0..0.5", "modality_dropout": "0.1..0.6"}

_CNN: Any = cnn.Config(name="cnn", width=16)
_BILSTM: Any = dataclasses.replace(recurrent_ctc.BILSTM, name="bilstm_ctc", units=128, depth=2)


@dataclasses.dataclass(frozen=True)
class Config(av_fusion.Config[Image, Speech]):
    """A network for each picture, one for speech, and how their features come together."""

    image: Image = _CNN  # of each picture, without its head and the dropout in that
    speech: Speech = _BILSTM  # of the clips, likewise: one that transcribes
    # early: recurrent layers read the features of both; late: the logits of both are added, each times its gate;
    # cross_attention: steps of the pictures and of the sound attend to each other before they are read together
    fusion: Literal["early", "late", "cross_attention"] = "early"
    units: int = 128  # of each input's features; of the recurrent layers in each direction
    dropout: float = 0.2  # fraction, before the recurrent layers and the logits


def build(input_shape: dict[str, Shape], outputs: int, config: Config[Any, Any]) -> keras.Model:
    """Moving pictures and features of clips -> {"logits": (batch, steps, outputs), "steps": int32 (batch,)}.

    Steps are those of the network for speech.

    Args:
        input_shape: {"video": `(pictures, height, width, channels)`, "audio": `(frames, mels)`}; `pictures` and
            `frames` may be None.
        outputs: number of logits at each step.
        config: see `Config`.

    Returns:
        A functional model. Its input is a dict with "video" (batch, pictures, height, width, channels); "audio" (batch,
        frames, mels) with "frames" (batch,), the true number of frames; "shown" (batch, frames), the number of the
        picture at each frame, -1 for none; and "has_audio" (batch,), 0 where there is no sound. After late fusion its
        layer "gate" outputs (batch, steps, 2), the trust in the pictures and in the sound.

    Raises:
        ValueError: for other shapes.
        UserError: for a network that does not take such features.
    """
    is_pair = isinstance(input_shape, dict) and set(input_shape) == {"video", "audio"}
    check(is_pair and len(input_shape["video"]) == 4, "av_ctc takes the shapes of video and audio", input_shape)
    inputs, x, given, mask = _encoded(input_shape, config)
    if config.fusion == "cross_attention":
        x = _attended(x, given, mask, config)
    if config.fusion == "late":
        # After the gate one linear layer is one for each input: the sum of the logits of both, each times its gate.
        trust = av_fusion.gate(x, given, config.units)
        x = {part: x[part] * ops.cast(trust[:, :, i : i + 1], x[part].dtype) for i, part in enumerate(INPUTS)}
    joined = layers.Concatenate(name="joined")([x[part] for part in INPUTS])
    if config.fusion != "late":
        joined = layers.Dense(config.units, activation="relu", name="joined_units")(joined)
        joined = layers.Dropout(config.dropout, name="joined_dropout")(joined)
        joined = _recurrent(joined, mask, config, "joined_lstm")
    _, result = ctc_head(joined, mask, outputs, config.dropout)
    return keras.Model(inputs, result, name="av_ctc")


def _encoded(
    input_shape: dict[str, Shape], config: Config[Any, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor, Tensor]:
    """The inputs; the features of the pictures and of the sound at each step (batch, steps, units), and masks.

    The masks are what is given at each step, bool (batch, steps, 2), and which steps are inside the clip.
    """
    inputs = {part: keras.Input(shape, name=part) for part, shape in input_shape.items()}
    inputs |= {name: keras.Input((), dtype="int32", name=name) for name in ("frames", "has_audio")}
    inputs["shown"] = keras.Input((None,), dtype="int32", name="shown")

    clips = {"features": inputs["audio"], "frames": inputs["frames"]}
    encoded = build_tower("audio", input_shape["audio"], config, output_kind="sequence")(clips)
    mask = FrameMask(name="mask")(encoded["embedding"], encoded["steps"])
    pictures = EachPicture(name="pictures")(inputs["video"], inputs["shown"], inputs["frames"])
    vectors = build_tower("image", input_shape["video"][1:], config)(pictures)

    shown, is_shown = ShownPicture(name="image_shown")(vectors, inputs["shown"], inputs["frames"], mask)
    shown = layers.Dropout(config.dropout, name="image_dropout")(shown)
    pictures = layers.Dense(config.units, activation="relu", name="image_units")(
        _recurrent(shown, mask, config, "image_lstm")
    )
    speech = layers.Dense(config.units, activation="relu", name="speech_units")(encoded["embedding"])
    features = {"image": pictures, "audio": speech, "mask": mask}
    dropped = ModalityDropout(config.modality_dropout, name="given")(features)
    given = GivenSteps(name="given_steps")(dropped["given"], is_shown, inputs["has_audio"], mask)
    x = {part: MaskFrames(name=f"{NAMES[part]}_given")(dropped[part], given[:, :, i]) for i, part in enumerate(INPUTS)}
    return inputs, x, given, mask


def _recurrent(x: Tensor, mask: Tensor, config: Config[Any, Any], name: str) -> Tensor:
    """States (batch, steps, 2 * units), each of which depends on the whole clip; 0 past its end."""
    x = layers.LayerNormalization(name=f"{name}_norm")(x)
    lstm = layers.LSTM(config.units, return_sequences=True, name=name)
    return MaskFrames(name=f"{name}_masked")(layers.Bidirectional(lstm, name=name)(x, mask=mask), mask)


def _attended(x: dict[str, Tensor], given: Tensor, mask: Tensor, config: Config[Any, Any]) -> dict[str, Tensor]:
    """Steps of both inputs, which have attended to the given steps of the other's."""
    norms = {part: layers.LayerNormalization(name=f"{NAMES[part]}_norm")(x[part]) for part in INPUTS}
    attended = {}
    for i, (part, other) in enumerate((INPUTS, INPUTS[::-1])):
        name, of_other = NAMES[part], given[:, :, 1 - i]
        # Without any step of the other's the result is multiplied by 0.
        has_other = ops.any(of_other, axis=1, keepdims=True)
        keep = ops.where(has_other, of_other, mask)
        attention = CrossAttention(config.heads, config.units // config.heads, name=f"{name}_attention")
        y = attention(norms[part], norms[other], keep)
        y = layers.Add(name=f"{name}_add")([x[part], y * ops.cast(has_other, y.dtype)[:, :, None]])
        attended[part] = MaskFrames(name=f"{name}_attended")(y, given[:, :, i])
    return attended
