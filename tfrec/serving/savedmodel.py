"""A trained recognizer as a SavedModel: raw tensors or encoded bytes in, the task's answers out.

Every signature begins with `tf.ensure_shape`, because a request of the wrong rank can abort the whole server inside a
kernel; `serving.graph` has the signatures.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from pipelines import loudness
from pipelines.images import parse_color
from tfrec.architectures.layers.attention import Attention
from tfrec.serving import layout, protos
from tfrec.serving.drawing import DrawingStyle
from tfrec.serving.graph import image, rules, speech
from tfrec.serving.graph.rules import Limits

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

DEFAULT, ENCODED, TENSOR = "serving_default", "encoded", "tensor"  # signatures: bytes, the same, pixels or samples
FEATURES = "features"  # what the network reads
SPEECH_ROWS = 256  # of a request, where `export.max_rows` is None
MIN_IMAGE_ROWS, MAX_IMAGE_ROWS = 64, 1024  # likewise: in between, those whose features have IMAGE_VALUES
IMAGE_VALUES = 64 * 224 * 224 * 3

Outputs = dict[str, tf.Tensor]


def write(recognizer: Recognizer, folder: Any) -> None:
    """Writes the SavedModel.

    The signature `serving_default`, alias `encoded`, takes the bytes of files: "encoded", string `(batch,)`. The others
    take what files hold: "image" `(batch, height, width, channels)` of any size, uint8, or float32 in [0, 255] where
    training had files of more than 8 bits; or "audio" float32 `(batch, samples)` at the recognizer's sample rate with
    "length" int32 `(batch,)`. `tensor` answers the task's outputs, as `serving_default`; `features` what the network
    reads, `embedding` the input of its head, and further ones what the task has in addition.

    Of pairs the bytes are "encoded_image" and "encoded_audio". One input alone has `embed_image` and `embed_audio` in
    place of `embedding`, or of classifiers that were trained for it `image_only` and `audio_only`: bytes, and with
    `_tensor` what files hold.
    """
    copy = without_cudnn(recognizer.network)
    network, embedders = recognizer.task.inference_network(copy), recognizer.task.embedders(copy)
    served = recognizer.replace(inference_network=network)
    export = recognizer.task.exporter(recognizer)
    limits, every = limits_of(recognizer), tuple(recognizer.frontend.parts())

    def answer(inputs: Any) -> Outputs:
        return export(served(inputs))

    signatures: dict[str, Any] = {}

    def add(name: str, parts: Sequence[str], function: Callable[[Any], Outputs], is_encoded: bool) -> None:
        read = [_raw_input(recognizer, part, is_encoded, limits) for part in parts]
        signatures[name] = _traced(*rules.signature(read, of_values(recognizer, function), limits))

    add(DEFAULT, every, answer, is_encoded=True)
    add(TENSOR, every, answer, is_encoded=False)
    add(FEATURES, every, lambda inputs: _named_features(served.features(inputs)), is_encoded=False)
    for part, embedder in embedders.items():
        embed = functools.partial(_embedded, served.replace(inference_network=embedder))
        if part is None:
            add("embedding", every, embed, is_encoded=False)
        else:
            add(f"embed_{part}", [part], embed, is_encoded=True)
            add(f"embed_{part}_{TENSOR}", [part], embed, is_encoded=False)
    for part, alone in served.of_single_inputs().items():
        answer_alone = functools.partial(_converted, alone, export)
        for name, is_encoded in zip(single_input_names(part), (True, False), strict=True):
            add(name, [part], answer_alone, is_encoded)
    for name, convert in recognizer.task.further_signatures().items():
        add(name, every, functools.partial(_converted, served, convert), is_encoded=False)
    _save(signatures, folder)
    description = pathlib.Path(folder) / layout.DESCRIPTION
    description.parent.mkdir(exist_ok=True)
    description.write_text(json.dumps(describe(recognizer), indent=2) + "\n", encoding="utf-8")


def unsupported(recognizer: Recognizer) -> str | None:
    """Why a recognizer has no SavedModel, as a sentence; None where it has one."""
    if recognizer.modality != "video_audio":
        return None
    return (
        "Networks for moving pictures are not exported, since a server cannot decode such files in step with the sound:"
        " use the run itself, with `tfrec predict` or `tfrec.load`."
    )


def _traced(function: Callable[..., Outputs], specs: list[tf.TensorSpec]) -> Any:
    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


def _save(signatures: dict[str, Any], folder: Any) -> None:
    """Writes traced signatures, and the alias of the first one.

    `keras.export.ExportArchive` would trace every function once more while it saves, and write both graphs.
    """
    module = tf.Module()
    variables = {id(variable): variable for function in signatures.values() for variable in function.variables}
    module.weights = list(variables.values())
    tf.saved_model.save(module, str(folder), {**signatures, ENCODED: signatures[DEFAULT]})
    saved = protos.read_saved_model(folder)
    # The same tensors under both names, so that a session prepares one graph for both.
    definitions = saved.meta_graphs[0].signature_def
    definitions[ENCODED].CopyFrom(definitions[DEFAULT])
    (pathlib.Path(folder) / "saved_model.pb").write_bytes(saved.SerializeToString(deterministic=True))


def single_input_names(part: str) -> tuple[str, str]:
    """The signatures of a classifier of pairs that answer one part alone: of bytes, and of what files hold."""
    return f"{part}_only", f"{part}_only_{TENSOR}"


def encoded_name(part: str, parts: Collection[str]) -> str:
    """The name of the input with the files of a part, "image" or "audio", of all parts of a frontend."""
    return ENCODED if len(parts) == 1 else f"{ENCODED}_{part}"


def _raw_input(recognizer: Recognizer, part: str, is_encoded: bool, limits: Limits) -> rules.RawInput:
    """How a signature reads "image" or "audio", from files or from what they hold."""
    config = recognizer.frontend.parts()[part].config
    name = encoded_name(part, recognizer.frontend.parts())
    if part == "audio":
        options = config.sample_rate_hz, window(recognizer), limits
        channel = loudness.channel_number(recognizer.audio_channel)
        return speech.files(*options, name, channel) if is_encoded else speech.samples(*options)
    resize = recognizer.frontend.parts()[part].resize
    if not is_encoded:
        return image.pixels(resize, config.channels, config.pixels or "uint8", limits)
    background = parse_color(getattr(recognizer.config.data, "background", "white"))
    return image.files(resize, config.channels, background, limits, name)


def of_values(recognizer: Recognizer, function: Callable[[Any], Outputs]) -> Callable[[dict[str, tf.Tensor]], Outputs]:
    """A function of raw inputs, of which pictures have the network's size already."""

    def answer(values: dict[str, tf.Tensor]) -> Outputs:
        if "image" not in values:
            return function(values)
        images = recognizer.frontend.parts()["image"].normalize(values["image"])
        if len(recognizer.frontend.parts()) == 1:
            return function(recognizer.as_features(images))
        clips = {name: value for name, value in values.items() if name != "image"}
        return function(recognizer.as_features({"image": images, **recognizer.frontend(clips)}))

    return answer


def _embedded(embedder: Recognizer, inputs: Any) -> Outputs:
    return _float32(embedder(inputs))


def _converted(served: Recognizer, convert: Callable[[Any], Outputs], inputs: Any) -> Outputs:
    return convert(served(inputs))


def _named_features(features: Any) -> Outputs:
    return dict(features) if isinstance(features, dict) else {"features": features}


def _float32(outputs: Outputs) -> Outputs:
    """Outputs without the half precision of training."""
    return {name: tf.cast(x, tf.float32) if x.dtype.is_floating else x for name, x in outputs.items()}


def window(recognizer: Recognizer) -> int:
    """The fewest samples that a clip may have: those of one analysis window."""
    features = recognizer.frontend.parts()["audio"].features
    return 1 if features is None else int(features.window)


def limits_of(recognizer: Recognizer) -> Limits:
    """What a request of the export may ask for."""
    export, parts = recognizer.config.export, recognizer.frontend.parts()
    rows = [SPEECH_ROWS] if "audio" in parts else []
    if "image" in parts:
        values = math.prod(parts["image"].feature_shape)
        rows.append(min(max(IMAGE_VALUES // values, MIN_IMAGE_ROWS), MAX_IMAGE_ROWS))
    return Limits(
        rows=export.max_rows or min(rows),
        pixels=round(export.max_megapixels * 1e6),
        seconds=export.max_seconds,
        total_seconds=export.max_total_seconds,
        seconds_squared=export.max_seconds**2 if _has_attention(recognizer.inference_network) else None,
        fill_bad_rows=export.on_bad_row == "fill",
    )


def _has_attention(network: keras.Model) -> bool:
    """Whether a network compares all parts of a clip with each other."""
    return any(isinstance(layer, Attention) for layer in network._flatten_layers())


def describe(recognizer: Recognizer) -> dict[str, Any]:
    """What a client must know to talk to the export."""
    parts, limits = recognizer.frontend.parts(), limits_of(recognizer)
    inputs: dict[str, Any] = {"modality": recognizer.modality}
    bounds: dict[str, Any] = {"rows": limits.rows}
    if "image" in parts:
        background = getattr(recognizer.config.data, "background", "white")
        inputs |= {"channels": parts["image"].config.channels, "background": background}
        bounds["pixels"] = limits.pixels
        style = DrawingStyle.of(recognizer.examples()) if len(parts) == 1 else None
        inputs |= {"drawing": dataclasses.asdict(style)} if style else {}
    if "audio" in parts:
        rate_hz = parts["audio"].config.sample_rate_hz
        inputs |= {"sample_rate_hz": rate_hz, "audio_channel": recognizer.audio_channel}
        bounds |= {"seconds": limits.seconds, "total_seconds": limits.total_seconds, "samples": window(recognizer)}
        if limits.seconds_squared is not None:
            bounds["seconds_squared"] = limits.seconds_squared
    inputs |= {"limits": bounds, "on_bad_row": recognizer.config.export.on_bad_row}
    return {"task": recognizer.task.name, **inputs, **recognizer.task.description(recognizer)}


def without_cudnn(network: keras.Model) -> keras.Model:
    """The same network without CuDNN's recurrent kernels, which a server without a GPU cannot run (keras #18504)."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        copy = type(layer).from_config(layer.get_config())
        parts = [copy]
        if isinstance(copy, keras.layers.Bidirectional):
            parts = [copy.forward_layer, copy.backward_layer]
        for part in parts:  # Keras keeps `use_cudnn` out of configs
            if isinstance(part, keras.layers.LSTM | keras.layers.GRU):
                part.use_cudnn = False
        return copy

    copy = keras.models.clone_model(network, clone_function=plain, recursive=True)
    copy.set_weights(network.get_weights())
    return copy
