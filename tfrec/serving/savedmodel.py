"""A trained recognizer as a SavedModel: raw tensors or encoded bytes in, labels and probabilities or texts out.

Every signature begins with `tf.ensure_shape`, because a request of the wrong rank can abort the whole server inside a
kernel.
"""

import json
import pathlib

import keras
import tensorflow as tf

from pipelines.errors import UserError
from pipelines.layers import ImageResize
from tfrec.serving import decoding

DESCRIPTION = pathlib.Path("assets.extra") / "tfrec.json"


def write(recognizer, folder):
    """Writes the SavedModel with the signatures `serving_default` (raw tensors) and `encoded` (bytes of files).

    Images: "image" uint8 (batch, height, width, channels) of any size, or "encoded" string (batch,) of JPEG, PNG, BMP
    or GIF. Speech: "audio" float32 (batch, samples) at the recognizer's sample rate with "length" int32 (batch,), or
    "encoded" string (batch,) of 16-bit WAV. Outputs: those of the task.
    """
    net = recognizer.task.classifier(without_cudnn(recognizer.net))
    archive = keras.export.ExportArchive()
    recognizer.frontend(recognizer.frontend.inputs())  # an archive takes only layers that have been called
    archive.track(recognizer.frontend)
    archive.track(net)

    options = answer_options(recognizer.config)

    def answer(inputs):
        return recognizer.task.answer(net(recognizer.frontend(inputs, training=False), training=False), **options)

    for name, (function, signature) in SIGNATURES[recognizer.config.frontend.name](
        recognizer.config.frontend, answer
    ).items():
        archive.add_endpoint(name, function, input_signature=signature)
    archive.write_out(str(folder), verbose=False)
    description = pathlib.Path(folder) / DESCRIPTION
    description.parent.mkdir(exist_ok=True)
    description.write_text(json.dumps(describe(recognizer), indent=2) + "\n", encoding="utf-8")


def answer_options(config):
    """How the task is to answer in the export; UserError for a beam where there are no texts."""
    width = config.export.beam_width
    if width > 1 and config.task.name != "transcribe":
        raise UserError("export.beam_width is for recognizers that write texts, which this one does not: leave it out.")
    return {"beam_width": width} if width > 1 else {}


def describe(recognizer):
    """What a client must know to talk to the export."""
    config = recognizer.config.frontend
    if config.name == "image":
        known = {"modality": "image", "channels": config.channels}
    else:
        known = {"modality": "audio", "sample_rate_hz": config.sample_rate_hz}
    task = recognizer.config.task.name
    if task == "classify":
        known["labels"] = list(recognizer.task.class_names)
    return {"task": task, **known}


def without_cudnn(net):
    """The same network without CuDNN's recurrent kernels, which a server without a GPU cannot run (keras #18504)."""

    def plain(layer):
        copy = type(layer).from_config(layer.get_config())
        for part in copy._flatten_layers():  # Keras keeps `use_cudnn` out of configs; Bidirectional holds two layers
            if hasattr(part, "use_cudnn"):
                part.use_cudnn = False
        return copy

    copy = keras.models.clone_model(net, clone_function=plain)
    copy.set_weights(net.get_weights())
    return copy


def _image_signatures(config, answer):
    resize = ImageResize(config.height, config.width, crop_fraction=config.crop_fraction)

    def serving_default(image):
        image = tf.ensure_shape(image, [None, None, None, config.channels])
        size = tf.reduce_min(tf.shape(image)[1:3])
        with tf.control_dependencies([tf.debugging.assert_positive(size, "An image must have at least one pixel")]):
            return _never_empty(answer, tf.identity(image))

    def encoded(encoded):
        def pixels(contents):
            image = resize(decoding.image(contents, config.channels)[None])[0]
            return tf.ensure_shape(image, [config.height, config.width, config.channels])

        return _never_empty(answer, tf.map_fn(pixels, tf.ensure_shape(encoded, [None]), fn_output_signature=tf.float32))

    return {
        "serving_default": (
            serving_default,
            [tf.TensorSpec([None, None, None, config.channels], tf.uint8, name="image")],
        ),
        "encoded": (encoded, [tf.TensorSpec([None], tf.string, name="encoded")]),
    }


def _speech_signatures(config, answer):
    def serving_default(audio, length):
        audio, length = tf.ensure_shape(audio, [None, None]), tf.ensure_shape(length, [None])
        same = tf.debugging.assert_equal(tf.shape(audio)[0], tf.size(length), "Each clip needs one length")
        # A client may send anything: a length past the end is cut, what is no number is silence, and no sample is so
        # loud that its square overflows. What lies past a clip's length the frontend silences.
        with tf.control_dependencies([same]):
            audio = tf.clip_by_value(tf.where(tf.math.is_finite(audio), audio, 0.0), -LOUDEST, LOUDEST)
        length = tf.clip_by_value(length, 0, tf.shape(audio)[1])
        return _never_empty(lambda inputs: answer(dict(zip(("audio", "length"), inputs, strict=True))), (audio, length))

    def encoded(encoded):
        clips = tf.map_fn(
            lambda contents: decoding.wav(contents, config.sample_rate_hz),
            tf.ensure_shape(encoded, [None]),
            fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
        )
        return serving_default(clips.to_tensor(), tf.cast(clips.row_lengths(), tf.int32))

    return {
        "serving_default": (
            serving_default,
            [tf.TensorSpec([None, None], tf.float32, name="audio"), tf.TensorSpec([None], tf.int32, name="length")],
        ),
        "encoded": (encoded, [tf.TensorSpec([None], tf.string, name="encoded")]),
    }


def _never_empty(answer, inputs):
    """`answer` for batches that may be empty, for which some kernels fail: an empty one gets a row that is dropped."""
    size = tf.shape(tf.nest.flatten(inputs)[0])[0]
    missing = tf.maximum(1 - size, 0)
    padded = tf.nest.map_structure(lambda x: tf.pad(x, [[0, missing], *[[0, 0]] * (len(x.shape) - 1)]), inputs)
    return {name: output[:size] for name, output in answer(padded).items()}


LOUDEST = 1e3  # the full range is 1
SIGNATURES = {"image": _image_signatures, "speech": _speech_signatures}
