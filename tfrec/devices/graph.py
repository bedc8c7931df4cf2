"""A recognizer as one function of fixed shapes, from pixels or samples to numbers, in a SavedModel to convert."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipelines import frontends
from tfrec.devices.formats import FEATURES, NETWORK, OUTPUT, SIGNATURE
from tfrec.serving import savedmodel

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer


def write(recognizer: Recognizer, folder: Any, samples: int | None, has_fft: bool = True) -> None:
    """Writes a SavedModel with one signature, of one example.

    It takes "image" float32 `(1, height, width, channels)` in [0, 255], of the network's size, or "audio" float32
    `(1, samples)` in [-1, 1] with "length" int32 `(1,)`, the number of its samples before the padding; of pairs all of
    them. It answers the network's outputs, "output" where there is one, and what `Task.device_outputs` adds.

    Args:
        recognizer: the recognizer, whose network computes in float32, see `in_float32`.
        folder: of the SavedModel.
        samples: of the longest clip that it takes; None where it takes no clips.
        has_fft: whether spectra are computed by an FFT, or by matrix products.
    """
    network = recognizer.task.inference_network(savedmodel.without_cudnn(recognizer.network))
    frontend = frontends.build(recognizer.config.frontend)
    for part in frontend.parts().values():
        if getattr(part, "features", None) is not None:
            part.features.fourier_by_matrix = not has_fft
    served = recognizer.replace(inference_network=network, frontend=frontend)
    read = savedmodel.of_values(served, served.features)

    def answer(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.name_scope(FEATURES):
            features = read(inputs)
        with tf.name_scope(NETWORK):
            outputs = served(served.as_features(features))
            named = outputs if isinstance(outputs, dict) else {OUTPUT: outputs}
            named = {**named, **served.task.device_outputs(outputs)}
        # By names outside of both scopes, which the signature's outputs get.
        return {name: tf.identity(value, name=f"answer_{name}") for name, value in named.items()}

    function = tf.function(answer, autograph=False).get_concrete_function(**_specs(recognizer, samples))
    module = tf.Module()
    module.weights = list(function.variables)
    # Gradients of activations such as SiLU capture tensors that cannot be saved, and are not needed.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), {SIGNATURE: function}, options)


def in_float32(recognizer: Recognizer) -> Recognizer:
    """The recognizer itself, or one with the same weights that computes in float32."""
    if recognizer.config.fit.precision == "float32":
        return recognizer
    fit = dataclasses.replace(recognizer.config.fit, precision="float32")
    copy = type(recognizer)(dataclasses.replace(recognizer.config, fit=fit), recognizer.task.labels)
    copy.network.set_weights(recognizer.network.get_weights())
    return copy.replace(task=recognizer.task, run=recognizer.run)


def _specs(recognizer: Recognizer, samples: int | None) -> dict[str, tf.TensorSpec]:
    specs = {}
    for name, part in recognizer.frontend.parts().items():
        shape = (samples,) if name == "audio" else part.feature_shape
        specs[name] = tf.TensorSpec([1, *shape], tf.float32, name=name)
    if "audio" in specs:
        specs["length"] = tf.TensorSpec([1], tf.int32, name="length")
    return specs
