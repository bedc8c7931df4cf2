"""Two networks, one for pictures and one for speech, into one space (Harwath et al. 2016; Radford et al. 2021, CLIP).

CLIP is arXiv:2103.00020. Each network is any classifier of the registry without its head, followed by a linear layer.
"""

import dataclasses
from typing import Any

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.log_scale import LogScale
from tfrec.architectures.multimodal.towers import NAMES, Image, PairModelConfig, Speech, build_towers
from tfrec.architectures.multimodal.towers import audio_kinds as audio_kinds
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("pair",)
OUTPUT_KIND = "pair"
PARAMETERS = {"pair": {"dual_encoder": 1_362_817}}
SEARCH_SPACE = {"dropout": "0..0.5", "temperature": "0.02..0.2:log"}


@dataclasses.dataclass(frozen=True)
class Config(PairModelConfig[Image, Speech]):
    """A network for pictures and one for speech; the size of the embeddings is the task's."""

    dropout: float = 0.0  # fraction, before the last layer of both
    temperature: float = 0.07  # of similarities at the start; it is learned

    def __post_init__(self) -> None:
        check(0 <= self.dropout < 1, "model.dropout must be at least 0 and below 1", self.dropout)
        check(0.01 <= self.temperature <= 10, "model.temperature must be from 0.01 to 10", self.temperature)


def build(input_shape: dict[str, Shape], outputs: int, config: Config[Any, Any]) -> keras.Model:
    """Pictures (batch, height, width, channels) and features of clips -> embeddings (batch, outputs) of both.

    Args:
        input_shape: see `build_towers`.
        outputs: size of the embeddings.
        config: see `Config`.

    Returns:
        A functional model. Its input is a dict, see `build_towers`. Its output is {"image": (batch, outputs), "audio":
        (batch, outputs), "log_scale": (batch,)}; the embeddings have the length 1.

    Raises:
        ValueError: for other shapes.
        UserError: for a network that does not take such features.
    """
    inputs, features = build_towers(input_shape, config, "dual_encoder")
    embeddings = {part: _embedded(x, NAMES[part], outputs, config.dropout) for part, x in features.items()}
    log_scale = LogScale(config.temperature, name="log_scale")(embeddings["image"])
    return keras.Model(inputs, {**embeddings, "log_scale": log_scale}, name="dual_encoder")


def _embedded(x: Tensor, name: str, outputs: int, dropout: float) -> Tensor:
    """A linear layer after the features of one network, and a division by the length."""
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.Dense(outputs, dtype="float32", name=f"{name}_projection")(x)
    return layers.UnitNormalization(dtype="float32", name=f"{name}_embedding")(x)
