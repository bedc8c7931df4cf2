"""A classifier of a picture and a clip together, by early, late or cross-attention fusion.

Each input has a network of the registry without its head, and a linear layer into as many units. A gate, a softmax over
both inputs, says how much each is trusted, from the features of both (Arevalo et al. 2017, arXiv:1702.01992). Modality
dropout makes the network answer with one input alone (Neverova et al. 2016, arXiv:1501.00102); the gate of the other
input is then 0.
"""

import dataclasses
from typing import Any, Literal

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.attention import check_heads
from tfrec.architectures.layers.cross_attention import CrossAttention
from tfrec.architectures.layers.modality_dropout import INPUTS, ModalityDropout
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.layers.spectrogram_convolution import logits_head
from tfrec.architectures.multimodal.towers import NAMES, Image, PairModelConfig, Speech, build_towers
from tfrec.architectures.multimodal.towers import audio_kinds as audio_kinds
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("pair",)
PARAMETERS = {"pair": {"av_fusion": 867_946}}
SEARCH_SPACE = {"units": "32..256:step=32", "dropout": "0..0.5", "modality_dropout": "0.1..0.6"}


@dataclasses.dataclass(frozen=True)
class Config(PairModelConfig[Image, Speech]):
    """A network for pictures, one for speech, and how their features come together."""

    # early: common layers read the features of both; late: the logits of both are added, each times its gate;
    # cross_attention: cells of the picture and frames of the clip attend to each other before they are averaged
    fusion: Literal["early", "late", "cross_attention"] = "early"
    units: int = 128  # of each input's features, and of the common layer
    heads: int = 4  # of cross_attention
    dropout: float = 0.2  # fraction, before the logits
    modality_dropout: float = 0.4  # fraction of the training examples that lose one input; 0 needs both in use

    def __post_init__(self) -> None:
        check(self.units > 0 and self.heads > 0, "model.units and heads must be positive", (self.units, self.heads))
        if self.fusion == "cross_attention":
            check_heads(self.units, self.heads)
        check(0 <= self.dropout < 1, "model.dropout must be at least 0 and below 1", self.dropout)
        rule = "model.modality_dropout must be from 0 to 1"
        check(0 <= self.modality_dropout <= 1, rule, self.modality_dropout)


def build(input_shape: dict[str, Shape], outputs: int, config: Config[Any, Any]) -> keras.Model:
    """Pictures (batch, height, width, channels) and features of clips -> logits (batch, outputs).

    Args:
        input_shape: see `build_towers`.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model. Its input is a dict, see `build_towers`; `submodels.single_input` makes a model of one of
        the inputs. Its layer "gate" outputs (batch, 2), the trust in the picture and in the clip, whose sum is 1.

    Raises:
        ValueError: for other shapes.
        UserError: for a network that does not take such features.
    """
    attends = config.fusion == "cross_attention"
    inputs, features = build_towers(input_shape, config, "av_fusion", as_tokens=attends)
    mask = features["audio"].get("mask") if attends else None
    projected = {} if mask is None else {"mask": mask}
    for part in INPUTS:
        x = features[part]["tokens"] if attends else features[part]
        projected[part] = layers.Dense(config.units, activation="relu", name=f"{NAMES[part]}_units")(x)
    tokens = [(projected[part].shape[1] or 1) if attends else 1 for part in INPUTS]
    dropped = ModalityDropout(config.modality_dropout, tokens, name="given")(projected)
    x = {part: dropped[part] for part in INPUTS}
    if attends:
        x = _attended(dropped, config)
    trust = gate(x, dropped["given"], config.units)
    gated = [x[part] * trust[:, i : i + 1] for i, part in enumerate(INPUTS)]
    joined = layers.Concatenate(name="embedding" if config.fusion == "late" else "joined")(gated)
    if config.fusion != "late":
        joined = layers.Dense(config.units, activation="relu", name="embedding")(joined)
    # After late fusion the linear layer is one for each input: the sum of the logits of both, each times its gate.
    return keras.Model(inputs, logits_head(joined, outputs, config.dropout), name="av_fusion")


def gate(x: dict[str, Tensor], given: Tensor, units: int) -> Tensor:
    """The trust in the picture and in the clip, whose sum is 1.

    Args:
        x: features (batch, units) of "image" and "audio", or (batch, steps, units).
        given: bool (batch, 2), or (batch, steps, 2): what is there.
        units: of the hidden layer.

    Returns:
        float32 of the shape of `given`; 0 for what is not given, where the other is.
    """
    both = layers.Concatenate(name="gate_inputs")([x[part] for part in INPUTS])
    hidden = layers.Dense(units, activation="relu", name="gate_units")(both)
    scores = layers.Dense(len(INPUTS), dtype="float32", name="gate_scores")(hidden)
    return layers.Softmax(dtype="float32", name="gate")(scores, mask=given)


def _attended(dropped: dict[str, Tensor], config: Config[Any, Any]) -> dict[str, Tensor]:
    """Vectors (batch, units) of both inputs: the mean of the tokens of each, which have attended to the other's.

    What comes from an input that is not given is left out, so that one input alone is the same as with the other
    dropped.
    """
    masks = {"image": None, "audio": dropped["mask"]}
    norms = {part: layers.LayerNormalization(name=f"{NAMES[part]}_norm")(dropped[part]) for part in INPUTS}
    vectors = {}
    for i, (part, other) in enumerate((INPUTS, INPUTS[::-1])):
        name = NAMES[part]
        attention = CrossAttention(config.heads, config.units // config.heads, name=f"{name}_attention")
        x = attention(norms[part], norms[other], masks[other])
        is_given = keras.ops.cast(dropped["given"][:, 1 - i], x.dtype)[:, None, None]
        x = layers.Add(name=f"{name}_add")([dropped[part], x * is_given])
        mask = masks[part]
        pool = layers.GlobalAveragePooling1D(name=f"{name}_mean") if mask is None else MaskedMean(name=f"{name}_mean")
        vectors[part] = pool(x) if mask is None else pool(x, mask)
    return vectors
