"""A trained recognizer as a SavedModel: raw tensors or encoded bytes in, the task's answers out.

Every signature begins with `tf.ensure_shape`, because a request of the wrong rank can abort the whole server inside a
kernel; `serving.graph` has the signatures.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from pipelines import loudness
from pipelines.images import parse_color
from tfrec import architectures
from tfrec.architectures.layers.attention import Attention
from tfrec.serving import layout, protos
from tfrec.serving.graph import image, speech
from tfrec.serving.graph.rules import Limits

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

DEFAULT, ENCODED, TENSOR = "serving_default", "encoded", "tensor"  # signatures: bytes, the same, pixels or samples
FEATURES = "features"  # what the network reads
SPEECH_ROWS = 256  # of a request, where `export.max_rows` is None
MIN_IMAGE_ROWS, MAX_IMAGE_ROWS = 64, 1024  # likewise: in between, those whose features have IMAGE_VALUES
IMAGE_VALUES = 64 * 224 * 224 * 3

Outputs = dict[str, tf.Tensor]
Signature = tuple[Callable[..., Outputs], list[tf.TensorSpec]]


def write(recognizer: Recognizer, folder: Any) -> None:
    """Writes the SavedModel.

    The signature `serving_default`, alias `encoded`, takes the bytes of files: "encoded", string `(batch,)`. The others
    take what files hold: "image" `(batch, height, width, channels)` of any size, uint8, or float32 in [0, 255] where
    training had files of more than 8 bits; or "audio" float32 `(batch, samples)` at the recognizer's sample rate with
    "length" int32 `(batch,)`. `tensor` answers the task's outputs, as `serving_default`; `features` what the network
    reads, `embedding` the input of its head, and further ones what the task has in addition.
    """
    copy = without_cudnn(recognizer.network)
    network, embedder = recognizer.task.inference_network(copy), architectures.embedder(copy)
    served = recognizer.replace(inference_network=network)
    export = recognizer.task.exporter(recognizer)
    limits = limits_of(recognizer)

    def answer(inputs: Any) -> Outputs:
        return export(served(inputs))

    functions: dict[str, Callable[[Any], Outputs]] = {
        TENSOR: answer,
        FEATURES: lambda inputs: _named_features(served.features(inputs)),
        "embedding": lambda inputs: _float32(served.replace(inference_network=embedder)(inputs)),
    }
    for name, convert in recognizer.task.further_signatures().items():
        functions[name] = functools.partial(_converted, served, convert)
    signatures = {DEFAULT: _encoded_signature(recognizer, answer, limits)}
    for name, function in functions.items():
        signatures[name] = _tensor_signature(recognizer, function, limits)
    _save({name: _traced(*signature) for name, signature in signatures.items()}, folder)
    description = pathlib.Path(folder) / layout.DESCRIPTION
    description.parent.mkdir(exist_ok=True)
    description.write_text(json.dumps(describe(recognizer), indent=2) + "\n", encoding="utf-8")


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


def _encoded_signature(recognizer: Recognizer, answer: Callable[[Any], Outputs], limits: Limits) -> Signature:
    config = recognizer.config.frontend
    if recognizer.modality == "audio":
        channel = loudness.channel_number(recognizer.audio_channel)
        return speech.encoded_signature(answer, config.sample_rate_hz, window(recognizer), limits, channel)
    background = parse_color(getattr(recognizer.config.data, "background", "white"))
    resize = recognizer.frontend.resize
    return image.encoded_signature(_of_resized(recognizer, answer), resize, config.channels, background, limits)


def _tensor_signature(recognizer: Recognizer, answer: Callable[[Any], Outputs], limits: Limits) -> Signature:
    config = recognizer.config.frontend
    if recognizer.modality == "audio":
        return speech.tensor_signature(answer, config.sample_rate_hz, window(recognizer), limits)
    resize = recognizer.frontend.resize
    dtype = config.pixels or "uint8"
    return image.tensor_signature(_of_resized(recognizer, answer), resize, config.channels, dtype, limits)


def _of_resized(recognizer: Recognizer, answer: Callable[[Any], Outputs]) -> Callable[[Any], Outputs]:
    """The answer to pictures that the frontend's layer has resized already."""
    return lambda images: answer(recognizer.as_features(recognizer.frontend.normalize(images)))


def _converted(served: Recognizer, convert: Callable[[Any], Outputs], inputs: Any) -> Outputs:
    return convert(served(inputs))


def _named_features(features: Any) -> Outputs:
    return dict(features) if isinstance(features, dict) else {"features": features}


def _float32(outputs: Outputs) -> Outputs:
    """Outputs without the half precision of training."""
    return {name: tf.cast(x, tf.float32) if x.dtype.is_floating else x for name, x in outputs.items()}


def window(recognizer: Recognizer) -> int:
    """The fewest samples that a clip may have: those of one analysis window."""
    features = recognizer.frontend.features
    return 1 if features is None else int(features.window)


def limits_of(recognizer: Recognizer) -> Limits:
    """What a request of the export may ask for."""
    export, config = recognizer.config.export, recognizer.config.frontend
    rows = SPEECH_ROWS
    if recognizer.modality == "image":
        values = config.height * config.width * config.channels
        rows = min(max(IMAGE_VALUES // values, MIN_IMAGE_ROWS), MAX_IMAGE_ROWS)
    return Limits(
        rows=export.max_rows or rows,
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
    config = recognizer.config.frontend
    if config.name == "image":
        background = getattr(recognizer.config.data, "background", "white")
        inputs = {"modality": "image", "channels": config.channels, "background": background}
    else:
        inputs = {
            "modality": "audio",
            "sample_rate_hz": config.sample_rate_hz,
            "audio_channel": recognizer.audio_channel,
        }
    limits = limits_of(recognizer)
    bounds: dict[str, Any] = {"rows": limits.rows}
    if config.name == "image":
        bounds["pixels"] = limits.pixels
    else:
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

    copy = keras.models.clone_model(network, clone_function=plain)
    copy.set_weights(network.get_weights())
    return copy
