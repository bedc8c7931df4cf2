"""Answers of a SavedModel to stored requests, by the loader of TensorFlow Serving.

`python replay.py SAVED_MODEL REQUESTS ANSWERS`

Runs in its own process, which imports nothing of this project or of Keras, through the session loader that TensorFlow
Serving uses. REQUESTS is an .npz of arrays NUMBER/SIGNATURE/INPUT (byte strings in base 64, since
numpy drops their trailing zeros), ANSWERS one of NUMBER/OUTPUT.
"""

import base64
import sys
from typing import Any

import numpy as np
import tensorflow as tf


def main(saved_model: str, requests: str, answers: str) -> None:
    """Runs every request and writes every output."""
    stored = np.load(requests, allow_pickle=False)
    by_number: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for key in stored.files:
        number, signature, name = key.split("/")
        by_number.setdefault((number, signature), {})[name] = stored[key]
    results: dict[str, Any] = {}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], saved_model)
        for (number, signature), inputs in by_number.items():
            definition = loaded.signature_def[signature]
            feed = {definition.inputs[name].name: _decoded(value) for name, value in inputs.items()}
            fetch = {name: tensor.name for name, tensor in definition.outputs.items()}
            for name, value in session.run(fetch, feed).items():
                texts = [text.decode() for text in value.flat] if value.dtype == object else None
                results[f"{number}/{name}"] = value if texts is None else np.array(texts).reshape(value.shape)
    np.savez(answers, **results)


def _decoded(value: np.ndarray) -> Any:
    return np.array([base64.b64decode(row) for row in value], dtype=object) if value.dtype.kind == "S" else value


if __name__ == "__main__":
    main(*sys.argv[1:])
