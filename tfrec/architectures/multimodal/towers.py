"""Networks of the registry inside a network for pairs: one for the pictures, one for the clips."""

import dataclasses
from typing import Any, Generic, TypeVar

import keras

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.image import cnn
from tfrec.architectures.submodels import embedder, feature_extractor, token_extractor
from tfrec.architectures.types import Shape, Tensor

Image = TypeVar("Image", bound=ModelConfig)
Speech = TypeVar("Speech", bound=ModelConfig)

NAMES = {"image": "image", "audio": "speech"}  # input -> name of its network, and of the field with its config
_CNN: Any = cnn.Config(name="cnn")


@dataclasses.dataclass(frozen=True)
class PairModelConfig(ModelConfig, Generic[Image, Speech]):
    """A network for pictures and one for speech."""

    image: Image = _CNN  # of the pictures, without its head and the dropout in that
    speech: Speech = _CNN  # of the clips, likewise

    @property
    def is_pretrained(self) -> bool:
        """Whether one of the two networks has pretrained weights."""
        return self.image.is_pretrained or self.speech.is_pretrained


def audio_kinds(config: PairModelConfig[Any, Any]) -> tuple[str, ...]:
    """The kinds of features that the network for speech accepts."""
    from tfrec.architectures import registry  # which imports this module

    return registry.find(config.speech.name).input_kinds


def build_towers(
    input_shape: dict[str, Shape], config: PairModelConfig[Any, Any], name: str, as_tokens: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inputs of a network for pairs, and what the networks in it compute.

    Args:
        input_shape: {"image": `(height, width, channels)`, "audio": `(frames, bins)`, `(samples, 1)` or, for pictures
            of features, `(frames, bins, channels)`}.
        config: of both networks.
        name: of the architecture, for errors.
        as_tokens: whether features are those before the pooling, see `submodels.token_extractor`.

    Returns:
        The inputs: "image", "audio" and, unless that is a picture, "frames" (batch,), the true number of steps. And by
        the name of the input the features (batch, units), or the dict of `token_extractor`.

    Raises:
        ValueError: for other shapes.
        UserError: for a network that does not take such features.
    """
    is_pair = isinstance(input_shape, dict) and set(input_shape) == set(NAMES)
    check(is_pair, f"{name} takes the shapes of image and audio", input_shape)
    inputs = {part: keras.Input(shape, name=part) for part, shape in input_shape.items()}
    features: dict[str, Any] = dict(inputs)
    if len(input_shape["audio"]) == 2:
        inputs["frames"] = keras.Input((), dtype="int32", name="frames")
        features["audio"] = {"features": features["audio"], "frames": inputs["frames"]}
    towers = {part: build_tower(part, shape, config, as_tokens) for part, shape in input_shape.items()}
    return inputs, {part: tower(features[part]) for part, tower in towers.items()}


def build_tower(
    part: str,
    shape: Shape,
    config: PairModelConfig[Any, Any],
    as_tokens: bool = False,
    output_kind: str = "vector",
) -> keras.Model:
    """The network of one of the inputs without its head.

    Args:
        part: "image" or "audio".
        shape: of the features, see `build_towers`.
        config: of both networks.
        as_tokens: see `build_towers`.
        output_kind: "vector", or "sequence" for features at each step.

    Returns:
        A model to features (batch, units), or the dict of `token_extractor`; of sequences to {"embedding": float32
        (batch, steps, units), "steps": int32 (batch,)}.

    Raises:
        UserError: for a network that does not take such features or has another kind of output.
    """
    from tfrec.architectures import registry  # which imports this module

    name = NAMES[part]
    kind = "image" if len(shape) == 3 else "waveform" if shape[-1] == 1 else "sequence"
    network = registry.build_network(getattr(config, name), shape, 1, kind, output_kind, setting=f"model.{name}")
    if output_kind == "sequence":
        extractor = embedder(network)
    else:
        extractor = token_extractor(network) if as_tokens else feature_extractor(network)
    return keras.Model(extractor.input, extractor.output, name=f"{name}_network")
