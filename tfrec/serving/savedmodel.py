"""A trained recognizer as a SavedModel: raw tensors or encoded bytes in, the task's answers out.

Every signature begins with `tf.ensure_shape`, because a request of the wrong rank can abort the whole server inside a
kernel.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from pipelines.images import MAX_PIXELS
from pipelines.layers import ImageResize
from tfrec.serving import decoding

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

DESCRIPTION = pathlib.Path("assets.extra") / "tfrec.json"
DEFAULT, ENCODED, TENSOR = "serving_default", "encoded", "tensor"  # signatures: bytes, the same, pixels or samples
# Of a request: beyond these a batch may exhaust the memory, where some kernels abort the whole server.
MAX_ROWS = 1024
MAX_VALUES = 256_000_000  # of pictures as a client sends them: rows x height x width x channels
MAX_SAMPLES = 32_000_000  # of clips, the padding included
LOUDEST = 1e3  # full scale is 1

Outputs = dict[str, tf.Tensor]
Signatures = dict[str, tuple[Callable[..., Outputs], list[tf.TensorSpec]]]


def write(recognizer: Recognizer, folder: Any) -> None:
    """Writes the SavedModel with the signatures `serving_default`, alias `encoded`, and `tensor`.

    `serving_default` takes the bytes of files: "encoded", string `(batch,)`. `tensor` takes what they hold: "image"
    `(batch, height, width, channels)` of any size, uint8, or float32 in [0, 255] where training had files of more than
    8 bits; or "audio" float32 `(batch, samples)` at the recognizer's sample rate with "length" int32 `(batch,)`.
    Outputs: those of the task, which may also have signatures of its own, with the inputs of `tensor`.
    """
    network = recognizer.task.inference_network(without_cudnn(recognizer.network))
    served = recognizer.replace(inference_network=network)
    archive = keras.export.ExportArchive()
    recognizer.frontend(recognizer.frontend.inputs())  # an archive takes only layers that have been called
    archive.track(recognizer.frontend)
    archive.track(network)
    config = recognizer.config

    def answer(inputs: Any) -> Outputs:
        return recognizer.task.export_outputs(served(inputs), config.export)

    make_signatures = SIGNATURES[config.frontend.name]
    for name, (function, signature) in make_signatures(config.frontend, answer).items():
        endpoint = archive.add_endpoint(name, function, input_signature=signature)
        if name == DEFAULT:
            endpoint.get_concrete_function()
            archive.add_endpoint(ENCODED, endpoint)
    for name, convert in recognizer.task.further_signatures().items():
        function, signature = make_signatures(config.frontend, functools.partial(_converted, served, convert))[TENSOR]
        archive.add_endpoint(name, function, input_signature=signature)
    archive.write_out(str(folder), verbose=False)
    description = pathlib.Path(folder) / DESCRIPTION
    description.parent.mkdir(exist_ok=True)
    description.write_text(json.dumps(describe(recognizer), indent=2) + "\n", encoding="utf-8")


def _converted(served: Recognizer, convert: Callable[[Any], Outputs], inputs: Any) -> Outputs:
    return convert(served(inputs))


def describe(recognizer: Recognizer) -> dict[str, Any]:
    """What a client must know to talk to the export."""
    config = recognizer.config.frontend
    if config.name == "image":
        background = getattr(recognizer.config.data, "background", "white")
        inputs = {"modality": "image", "channels": config.channels, "background": background}
    else:
        inputs = {"modality": "audio", "sample_rate_hz": config.sample_rate_hz}
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


def _image_signatures(config: Any, answer: Callable[[Any], Outputs]) -> Signatures:
    resize = ImageResize(config.height, config.width, crop_fraction=config.crop_fraction)

    def tensor(image: Any) -> Outputs:
        image = tf.ensure_shape(image, [None, None, None, config.channels])
        size = tf.reduce_min(tf.shape(image)[1:3])
        checks = [
            tf.debugging.assert_positive(size, "An image must have at least one pixel"),
            *_bounds(tf.shape(image), MAX_VALUES, "values of pixels"),
        ]
        with tf.control_dependencies(checks):
            return _never_empty(answer, tf.identity(image))

    def encoded(encoded: Any) -> Outputs:
        def pixels(contents: Any) -> Any:
            image = resize(decoding.image(contents, config.channels, config.pixels == "float32")[None])[0]
            return tf.ensure_shape(image, [config.height, config.width, config.channels])

        encoded = tf.ensure_shape(encoded, [None])
        with tf.control_dependencies(_bounds(tf.shape(encoded), MAX_ROWS, "pictures")):
            total = tf.reduce_sum(tf.map_fn(decoding.image_pixels, encoded, fn_output_signature=tf.int64))
        many = "The pictures of a request have too many pixels together: send fewer at once"
        with tf.control_dependencies([tf.debugging.assert_less_equal(total, tf.constant(MAX_PIXELS, tf.int64), many)]):
            return _never_empty(answer, tf.map_fn(pixels, tf.identity(encoded), fn_output_signature=tf.float32))

    return {
        TENSOR: (
            tensor,
            [tf.TensorSpec([None, None, None, config.channels], config.pixels or "uint8", name="image")],
        ),
        DEFAULT: (encoded, [tf.TensorSpec([None], tf.string, name="encoded")]),
    }


def _speech_signatures(config: Any, answer: Callable[[Any], Outputs]) -> Signatures:
    def tensor(audio: Any, length: Any) -> Outputs:
        audio, length = tf.ensure_shape(audio, [None, None]), tf.ensure_shape(length, [None])
        same = tf.debugging.assert_equal(tf.shape(audio)[0], tf.size(length), "Each clip needs one length")
        # A client may send anything: a length past the end is cut, NaN is silence, and no sample is so loud that its
        # square overflows. The frontend masks what lies past a clip's length.
        with tf.control_dependencies([same, *_bounds(tf.shape(audio), MAX_SAMPLES, "samples, the padding included,")]):
            audio = tf.clip_by_value(tf.where(tf.math.is_finite(audio), audio, 0.0), -LOUDEST, LOUDEST)
        length = tf.clip_by_value(length, 0, tf.shape(audio)[1])
        return _never_empty(lambda inputs: answer(dict(zip(("audio", "length"), inputs, strict=True))), (audio, length))

    def encoded(encoded: Any) -> Outputs:
        encoded = tf.ensure_shape(encoded, [None])
        with tf.control_dependencies(_bounds(tf.shape(encoded), MAX_ROWS, "clips")):
            encoded = tf.identity(encoded)
        clips = tf.map_fn(
            lambda contents: decoding.wav(contents, config.sample_rate_hz),
            encoded,
            fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
        )
        # Before the clips are padded to the longest of them.
        padded = tf.stack([clips.nrows(), tf.reduce_max(tf.concat([clips.row_lengths(), [0]], axis=0))])
        with tf.control_dependencies(_bounds(padded, MAX_SAMPLES, "samples, the padding included,")):
            clips = tf.identity(clips)
        return tensor(clips.to_tensor(), tf.cast(clips.row_lengths(), tf.int32))

    return {
        TENSOR: (
            tensor,
            [tf.TensorSpec([None, None], tf.float32, name="audio"), tf.TensorSpec([None], tf.int32, name="length")],
        ),
        DEFAULT: (encoded, [tf.TensorSpec([None], tf.string, name="encoded")]),
    }


def _bounds(shape: Any, limit: int, what: str) -> list[Any]:
    """Assertions that a batch of this shape has at most MAX_ROWS rows, and `limit` of `what` in all."""
    shape = tf.cast(shape, tf.int64)
    many = f"A request may have at most {limit:,} {what} together: send fewer at once"
    return [
        tf.debugging.assert_less_equal(
            shape[0], tf.constant(MAX_ROWS, tf.int64), f"A request may have {MAX_ROWS:,} rows"
        ),
        tf.debugging.assert_less_equal(tf.reduce_prod(shape), tf.constant(limit, tf.int64), many),
    ]


def _never_empty(answer: Callable[[Any], Outputs], inputs: Any) -> Outputs:
    """`answer` for batches that may be empty, for which some kernels fail: an empty one gets a row that is dropped."""
    size = tf.shape(tf.nest.flatten(inputs)[0])[0]
    missing = tf.maximum(1 - size, 0)
    padded = tf.nest.map_structure(lambda x: tf.pad(x, [[0, missing], *[[0, 0]] * (len(x.shape) - 1)]), inputs)
    return {name: output[:size] for name, output in answer(padded).items()}


SIGNATURES = {"image": _image_signatures, "speech": _speech_signatures}
