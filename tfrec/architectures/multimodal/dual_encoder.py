"""Two networks, one for pictures and one for speech, into one space (Harwath et al. 2016; Radford et al. 2021, CLIP).

CLIP is arXiv:2103.00020. Each network is any classifier of the registry without its head, followed by a linear layer.
"""

import dataclasses
from typing import Any, Generic, TypeVar

import keras
from keras import layers

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.image import cnn
from tfrec.architectures.layers.log_scale import LogScale
from tfrec.architectures.submodels import feature_extractor
from tfrec.architectures.types import Shape, Tensor

Image = TypeVar("Image", bound=ModelConfig)
Speech = TypeVar("Speech", bound=ModelConfig)

INPUT_KINDS = ("pair",)
OUTPUT_KIND = "pair"
PARAMETERS = {"pair": {"dual_encoder": 1_362_817}}
SEARCH_SPACE = {"dropout": "0..0.5", "temperature": "0.02..0.2:log"}
_CNN: Any = cnn.Config(name="cnn")


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig, Generic[Image, Speech]):
    """A network for pictures and one for speech; the size of the embeddings is the task's."""

    image: Image = _CNN  # of the pictures, without its head and the dropout in that
    speech: Speech = _CNN  # of the clips, likewise
    dropout: float = 0.0  # fraction, before the last layer of both
    temperature: float = 0.07  # of similarities at the start; it is learned

    def __post_init__(self) -> None:
        check(0 <= self.dropout < 1, "model.dropout must be at least 0 and below 1", self.dropout)
        check(0.01 <= self.temperature <= 10, "model.temperature must be from 0.01 to 10", self.temperature)

    @property
    def is_pretrained(self) -> bool:
        """Whether one of the two networks has pretrained weights."""
        return self.image.is_pretrained or self.speech.is_pretrained


def audio_kinds(config: Config[Any, Any]) -> tuple[str, ...]:
    """The kinds of features that the network for speech accepts."""
    from tfrec.architectures import registry  # which imports this module

    return registry.find(config.speech.name).input_kinds


def build(input_shape: dict[str, Shape], outputs: int, config: Config[Any, Any]) -> keras.Model:
    """Pictures (batch, height, width, channels) and features of clips -> embeddings (batch, outputs) of both.

    Args:
        input_shape: {"image": `(height, width, channels)`, "audio": `(frames, bins)`, `(samples, 1)` or, for pictures
            of features, `(frames, bins, channels)`}.
        outputs: size of the embeddings.
        config: see `Config`.

    Returns:
        A functional model. Its input is a dict with "image", "audio" and, unless that is a picture, "frames" (batch,),
        the true number of steps. Its output is {"image": (batch, outputs), "audio": (batch, outputs), "log_scale":
        (batch,)}; the embeddings have the length 1.

    Raises:
        ValueError: for other shapes.
        UserError: for a network that does not take such features.
    """
    is_pair = isinstance(input_shape, dict) and set(input_shape) == {"image", "audio"}
    check(is_pair, "dual_encoder takes the shapes of image and audio", input_shape)
    inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
    image = _embedded(inputs["image"], input_shape["image"], "image", outputs, config, config.image)
    features: Any = inputs["audio"]
    if len(input_shape["audio"]) == 2:
        inputs["frames"] = keras.Input((), dtype="int32", name="frames")
        features = {"features": features, "frames": inputs["frames"]}
    audio = _embedded(features, input_shape["audio"], "speech", outputs, config, config.speech)
    log_scale = LogScale(config.temperature, name="log_scale")(image)
    return keras.Model(inputs, {"image": image, "audio": audio, "log_scale": log_scale}, name="dual_encoder")


def _embedded(
    features: Any, shape: Shape, name: str, outputs: int, config: Config[Any, Any], network: ModelConfig
) -> Tensor:
    """The network of a config without its head, a linear layer, and a division by the length."""
    from tfrec.architectures import registry  # which imports this module

    kind = "image" if len(shape) == 3 else "waveform" if shape[-1] == 1 else "sequence"
    extractor = feature_extractor(registry.build_network(network, shape, 1, kind, setting=f"model.{name}"))
    x = keras.Model(extractor.input, extractor.output, name=f"{name}_network")(features)
    if config.dropout:
        x = layers.Dropout(config.dropout, name=f"{name}_dropout")(x)
    x = layers.Dense(outputs, dtype="float32", name=f"{name}_projection")(x)
    return layers.UnitNormalization(dtype="float32", name=f"{name}_embedding")(x)
