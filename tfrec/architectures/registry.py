"""The registry of architectures: a name, the module that builds it, and the config that the name stands for.

A module is one architecture from one paper, and offers:

- `Config`: a dataclass derived from `ModelConfig`; a comment behind each field is the help of its flag.
- `build(input_shape, outputs, config)`: the Keras functional model; raises ValueError for what makes no network.
- `INPUT_KINDS`: the kinds of features that it accepts: "image" (height, width, channels), "sequence" (frames, bins),
  "waveform" (samples, 1); "pair", a dict of the shapes of "image" and "audio", which is any of the others; or
  "audio_visual", a dict of the shapes of "video" (pictures, height, width, channels) and "audio" (frames, bins).
- `PARAMETERS`: {input kind: {name: number}}, the number of trainable weights of each of its names, from the paper or
  counted, at `REFERENCE_SHAPES`.
- `SEARCH_SPACE`: {field: values}, what a sweep searches by default. Values are "0..0.5", "1..4", or choices such as
  "true,false". "*0.5..2" is a range of multiples of the configured value; ":log" behind a range samples it
  logarithmically, ":step=0.5" in steps.

and, where they apply:

- `OUTPUT_KIND`: "vector" (the default), logits (batch, outputs); "sequence", a dict with "logits" (batch, steps,
  outputs) for CTC and "steps" (batch,), and with "decoder" (batch, length, outputs) if there is a decoder; or "pair", a
  dict with the embeddings "image" and "audio" (batch, outputs) and, where it is learned, "log_scale" (batch,), the
  logarithm of the factor of similarities; and if training compares pictures and clips by more than the inner product
  of embeddings, "similarity" (pictures, clips).
- `audio_kinds(config)`: the kinds of features of clips that a network for pairs accepts; without it "sequence".
- `IMAGENET`: {name: (the same network in `keras.applications`, the `frontend.normalize` of its weights)}.
- `CAUSAL`: {name: the last layer with frames (batch, frames, units) whose frames depend on no later input}.
- `describe(config)`: a sentence on what is worth knowing about a configuration, such as its receptive field.
- `patch_encoder(input_shape, config)`: for images as patches, the network without its head that reads some of them,
  {"features": images, "visible": int32 (batch, patches), their places} -> {"tokens": (batch, 1 + patches, units), the
  class token first, "embedding": (batch, units)}. Its layers have the names of those of `build`, and its layer
  "stem_position" has the grid of all patches.

The names of layers carry what transfer learning needs, see `submodels`.
"""

import contextlib
import dataclasses
import numbers
import types
from collections.abc import Iterator
from typing import Any

import keras

from pipelines.errors import UserError, unknown
from tfrec.architectures.config import ModelConfig, check, replace_settings
from tfrec.architectures.image import (
    airbench,
    alexnet,
    cct,
    cnn,
    coatnet,
    efficientnet,
    googlenet,
    inception_v3,
    mlp,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    resnet_transformer,
    squeezenet,
    vgg,
    vit,
)
from tfrec.architectures.multimodal import av_ctc, av_fusion, davenet, dual_encoder, resdavenet
from tfrec.architectures.speech import (
    bc_resnet,
    cnn_lstm,
    conformer,
    conformer_ctc,
    deepspeech2,
    las,
    recurrent,
    recurrent_ctc,
    resnet_mel,
    speech_transformer,
    transformer,
    wavenet,
    wavenet_ctc,
)

ARCHITECTURES: dict[str, tuple[types.ModuleType, ModelConfig]] = {
    "airbench": (airbench, airbench.Config()),
    "alexnet": (alexnet, alexnet.Config()),
    "av_ctc": (av_ctc, av_ctc.Config()),
    "av_fusion": (av_fusion, av_fusion.Config()),
    "bc_resnet_1": (bc_resnet, bc_resnet.Config()),
    "bc_resnet_1_5": (bc_resnet, bc_resnet.Config(channels=12)),
    "bc_resnet_2": (bc_resnet, bc_resnet.Config(channels=16)),
    "bc_resnet_3": (bc_resnet, bc_resnet.Config(channels=24)),
    "bc_resnet_6": (bc_resnet, bc_resnet.Config(channels=48)),
    "bc_resnet_8": (bc_resnet, bc_resnet.Config(channels=64)),
    "bilstm": (recurrent, recurrent.BILSTM),
    "bilstm_ctc": (recurrent_ctc, recurrent_ctc.BILSTM),
    "cct_7_3x1": (cct, cct.Config()),
    "cnn": (cnn, cnn.Config()),
    "cnn_lstm": (cnn_lstm, cnn_lstm.Config()),
    "cnn_lstm_concat": (cnn_lstm, cnn_lstm.CONCAT),
    "coatnet_0": (coatnet, coatnet.Config()),
    "conformer": (conformer, conformer.Config()),
    "conformer_ctc": (conformer_ctc, conformer_ctc.Config()),
    "conformer_l": (conformer_ctc, conformer_ctc.LARGE),
    "conformer_m": (conformer_ctc, conformer_ctc.MEDIUM),
    "conformer_s": (conformer_ctc, conformer_ctc.SMALL),
    "davenet": (davenet, davenet.Config()),
    "deepspeech2": (deepspeech2, deepspeech2.Config()),
    "dual_encoder": (dual_encoder, dual_encoder.Config()),
    "efficientnet_b0": (efficientnet, efficientnet.scaled("efficientnet_b0")),
    "efficientnet_b1": (efficientnet, efficientnet.scaled("efficientnet_b1")),
    "efficientnet_b2": (efficientnet, efficientnet.scaled("efficientnet_b2")),
    "efficientnet_b3": (efficientnet, efficientnet.scaled("efficientnet_b3")),
    "efficientnet_b4": (efficientnet, efficientnet.scaled("efficientnet_b4")),
    "efficientnet_b5": (efficientnet, efficientnet.scaled("efficientnet_b5")),
    "efficientnet_b6": (efficientnet, efficientnet.scaled("efficientnet_b6")),
    "efficientnet_b7": (efficientnet, efficientnet.scaled("efficientnet_b7")),
    "googlenet": (googlenet, googlenet.Config()),
    "gru": (recurrent, recurrent.GRU),
    "gru_ctc": (recurrent_ctc, recurrent_ctc.GRU),
    "inception_v3": (inception_v3, inception_v3.Config()),
    "kwt_1": (transformer, transformer.kwt(64)),
    "kwt_2": (transformer, transformer.kwt(128)),
    "kwt_3": (transformer, transformer.kwt(192)),
    "las": (las, las.Config()),
    "lstm": (recurrent, recurrent.Config()),
    "lstm_ctc": (recurrent_ctc, recurrent_ctc.Config()),
    "mlp": (mlp, mlp.Config()),
    "mobilenet_v2": (mobilenet_v2, mobilenet_v2.Config()),
    "mobilenet_v3_large": (mobilenet_v3, mobilenet_v3.Config()),
    "mobilenet_v3_small": (mobilenet_v3, mobilenet_v3.SMALL),
    "resdavenet": (resdavenet, resdavenet.Config()),
    "resnet101": (resnet, resnet.RESNET101),
    "resnet152": (resnet, resnet.RESNET152),
    "resnet18": (resnet, resnet.RESNET18),
    "resnet34": (resnet, resnet.RESNET34),
    "resnet50": (resnet, resnet.Config()),
    "resnet_attention": (resnet, resnet.ATTENTION),
    "resnet_mel": (resnet_mel, resnet_mel.Config()),
    "resnet_transformer": (resnet_transformer, resnet_transformer.Config()),
    "rnn": (recurrent, recurrent.RNN),
    "speech_transformer": (speech_transformer, speech_transformer.Config()),
    "squeezenet": (squeezenet, squeezenet.Config()),
    "squeezenet_1_0": (squeezenet, squeezenet.V1_0),
    "squeezenet_1_1": (squeezenet, squeezenet.Config()),
    "transformer": (transformer, transformer.Config()),
    "vgg16": (vgg, vgg.Config()),
    "vgg19": (vgg, vgg.VGG19),
    "vit_base": (vit, vit.Config(width=768)),
    "vit_small": (vit, vit.Config(width=384)),
    "vit_tiny": (vit, vit.Config()),
    "wavenet": (wavenet, wavenet.Config()),
    "wavenet_ctc": (wavenet_ctc, wavenet_ctc.Config()),
}

OUTPUT_KINDS = ("vector", "sequence", "pair")
# The input shape and the number of outputs at which PARAMETERS are counted, by input kind and output kind.
REFERENCE_SHAPES: dict[tuple[str, str], tuple[Any, int]] = {
    ("image", "vector"): ((224, 224, 3), 1000),
    ("sequence", "vector"): ((None, 20), 5),
    ("waveform", "vector"): ((None, 1), 5),
    ("sequence", "sequence"): ((None, 80), 29),
    ("waveform", "sequence"): ((None, 1), 29),
    ("pair", "vector"): ({"image": (224, 224, 3), "audio": (None, 40)}, 1000),
    ("audio_visual", "sequence"): ({"video": (None, 96, 96, 1), "audio": (None, 40)}, 29),
    ("pair", "pair"): ({"image": (224, 224, 3), "audio": (None, 40)}, 1024),
}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """An entry of the registry; the module's optional attributes are read here and nowhere else."""

    name: str
    module: types.ModuleType
    config: ModelConfig  # with the name

    @property
    def input_kinds(self) -> tuple[str, ...]:
        """The kinds of features that it accepts: some of "image", "sequence", "waveform"; "pair"; "audio_visual"."""
        return self.module.INPUT_KINDS

    @property
    def output_kind(self) -> str:
        """The kind of its output: "vector", "sequence" or "pair"."""
        return getattr(self.module, "OUTPUT_KIND", "vector")

    @property
    def parameters(self) -> dict[str, int]:
        """{input kind: number of trainable weights} at `REFERENCE_SHAPES`."""
        return {kind: counts[self.name] for kind, counts in self.module.PARAMETERS.items()}

    @property
    def search_space(self) -> dict[str, str]:
        """{field of the config: values}, what a sweep searches by default."""
        return dict(self.module.SEARCH_SPACE)

    @property
    def imagenet(self) -> tuple[str, str] | None:
        """(constructor in `keras.applications`, `frontend.normalize` of its weights), or None."""
        return getattr(self.module, "IMAGENET", {}).get(self.name)

    @property
    def causal_layer(self) -> str | None:
        """The last layer whose frames depend on no later input in the default config, or None."""
        return getattr(self.module, "CAUSAL", {}).get(self.name)

    def feature_kinds(self, config: ModelConfig) -> tuple[str, ...]:
        """The kinds of features of clips or images that it accepts with a config; of pairs those of the clips."""
        if not {"pair", "audio_visual"} & set(self.input_kinds):
            return self.input_kinds
        return self.module.audio_kinds(config) if hasattr(self.module, "audio_kinds") else ("sequence",)

    def describe(self, config: ModelConfig) -> str | None:
        """A sentence on what is worth knowing about a configuration, or None."""
        return self.module.describe(config) if hasattr(self.module, "describe") else None


def find(name: str) -> Architecture:
    """The entry of an architecture.

    Args:
        name: a key of `ARCHITECTURES`.

    Returns:
        The entry, whose config has the name.

    Raises:
        UserError: for an unknown name, with the nearest ones.
    """
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    module, config = ARCHITECTURES[name]
    return Architecture(name, module, dataclasses.replace(config, name=name))


def default_config(name: str) -> Any:
    """The config that an architecture's name stands for.

    Args:
        name: a key of `ARCHITECTURES`.

    Returns:
        The `Config` of the architecture's module, with the name.

    Raises:
        UserError: for an unknown name, with the nearest ones.
    """
    return find(name).config


def build(name: str, input_shape: Any, outputs: int, **settings: Any) -> keras.Model:
    """Any network by name, with random weights.

    >>> build("mlp", input_shape=(8, 8, 1), outputs=10, width=32).output_shape
    (None, 10)

    Args:
        name: of the architecture, see `ARCHITECTURES`.
        input_shape: of the features without the batch: `(height, width, channels)`, `(frames, bins)` or
            `(samples, 1)`; frames and samples may be None. Of pairs a dict of the shapes of "image" and "audio".
        outputs: number of logits, for each example or each step; of pairs the size of the embeddings.
        **settings: fields of the architecture's config to change, see `default_config(name)`.

    Returns:
        A functional model from features to logits. Features over time are the dict {"features": (batch, frames, bins),
        "frames": (batch,)} with the true number of frames of each example.

    Raises:
        UserError: for an unknown name or setting, and for values that make no network.
    """
    architecture = find(name)
    known = [field.name for field in dataclasses.fields(architecture.config) if field.name not in ("name", "weights")]
    for setting in settings:
        if setting not in known:
            raise unknown(f"{name} setting", setting, known)
    try:
        config = replace_settings(architecture.config, settings)
    except ValueError as error:
        raise UserError(f"Cannot build architecture {name!r}: {error}") from error
    return _call_builder(architecture, config, input_shape, outputs)


def build_network(
    config: ModelConfig,
    input_shape: Any,
    outputs: int,
    input_kind: str,
    output_kind: str = "vector",
    setting: str = "model",
) -> keras.Model:
    """The network of a config, for features and an output of given kinds.

    Args:
        config: of an architecture in the registry, with its name.
        input_shape: of the features without the batch; a size of time may be None. Of pairs a dict of shapes.
        outputs: number of logits, for each example or each step; of pairs the size of the embeddings.
        input_kind: kind of the features, one of the architecture's `input_kinds`.
        output_kind: "vector", "sequence" or "pair"; or "any".
        setting: the dotted name of the config, for errors.

    Returns:
        A functional model.

    Raises:
        UserError: when the architecture does not accept such features, or their shape, or has another kind of output.
        ValueError: for an unknown kind of output.
    """
    kinds = (*OUTPUT_KINDS, "any")
    check(output_kind in kinds, f"output_kind must be one of {kinds}", output_kind)
    architecture = find(config.name)
    if input_kind not in architecture.input_kinds:
        raise UserError(
            f"{setting}.name {config.name!r} takes {' or '.join(architecture.input_kinds)} features, but the data gives"
            f" {input_kind} features: choose an architecture that takes them, see"
            " `python -m tfrec list architectures --json`."
        )
    if output_kind not in ("any", architecture.output_kind):
        others = [find(name) for name in ARCHITECTURES if find(name).output_kind == output_kind]
        example = next((other for other in others if input_kind in other.input_kinds), others[0]).name
        raise UserError(
            f"{setting}.name {config.name!r} outputs a {architecture.output_kind} where a {output_kind} is needed:"
            f" choose another architecture, such as {example!r}, see `python -m tfrec list architectures --json`."
        )
    return _call_builder(architecture, config, input_shape, outputs)


def patch_encoder(config: ModelConfig, input_shape: Any) -> keras.Model | None:
    """The network of a config for some of the patches of images, without its head.

    Args:
        config: of an architecture in the registry, with its name.
        input_shape: of the features without the batch, `(height, width, channels)`.

    Returns:
        A functional model, see the module's `patch_encoder` above; None for networks without patches of their own.

    Raises:
        UserError: for a shape that makes no network.
    """
    architecture = find(config.name)
    if not hasattr(architecture.module, "patch_encoder"):
        return None
    with _builder_errors(architecture):
        network = architecture.module.patch_encoder(_checked(input_shape), config)
    return network


def _call_builder(architecture: Architecture, config: ModelConfig, input_shape: Any, outputs: int) -> keras.Model:
    """Calls the module's `build`; UserError for what it rejects."""
    with _builder_errors(architecture):
        shape = _checked(input_shape)
        check(_is_count(outputs), "The number of outputs must be a positive integer", outputs)
        network = architecture.module.build(shape, outputs, config)
    return network


@contextlib.contextmanager
def _builder_errors(architecture: Architecture) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UserError(f"Cannot build architecture {architecture.name!r}: {error}") from error


def _checked(input_shape: Any) -> Any:
    """A shape as a tuple, or a dict of them; ValueError for anything else."""
    if isinstance(input_shape, dict):
        return {name: _checked(shape) for name, shape in input_shape.items()}
    sizes = isinstance(input_shape, tuple | list) and all(size is None or _is_count(size) for size in input_shape)
    check(sizes, "The input shape must be a tuple of positive integers, or None for an open size", input_shape)
    return tuple(input_shape)


def _is_count(value: object) -> bool:
    """Whether a value is a positive integer, of Python or of NumPy."""
    return isinstance(value, numbers.Integral) and int(value) > 0


def describe(config: ModelConfig) -> str | None:
    """A sentence on what is worth knowing about a configuration, or None.

    Args:
        config: of an architecture in the registry, with its name.

    Returns:
        Such as "receptive field 2,432 samples".

    Raises:
        UserError: for an unknown name.
    """
    return find(config.name).describe(config)
