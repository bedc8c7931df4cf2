"""The session loader of TensorFlow 1, in Python: reads a SavedModel as TensorFlow Serving does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def open_saved_model(path: str) -> Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from a signature and its inputs to its outputs, byte strings with dtype object."""
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)

    def answer(signature: str, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        definition = loaded.signature_def[signature]
        feed = {definition.inputs[name].name: value for name, value in inputs.items()}
        return session.run({name: tensor.name for name, tensor in definition.outputs.items()}, feed)

    return answer
