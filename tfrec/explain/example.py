"""What is explained: a number that a network computes from the features of one example."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

BATCH = 32  # variants of an example that are computed together

Score = Callable[[Any], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Example:
    """A network, the features of one example, and what of the outputs is explained.

    Attributes:
        network: A functional model from features to outputs.
        features: What is varied: a picture (height, width, channels), frames (frames, bins), or a waveform
            (samples, 1); float32.
        others: The network's further inputs (1, ...), such as the number of frames.
        score: From the outputs of a batch to the explained number of each row, (batch,).
        baseline: Features of the same shape that hold nothing: a picture of its mean color, or silence.
    """

    network: keras.Model
    features: np.ndarray
    others: Mapping[str, np.ndarray]
    score: Score
    baseline: np.ndarray

    @property
    def cells(self) -> tuple[int, ...]:
        """The shape of a map: (height, width) of pictures, (frames, bins), or (samples, 1)."""
        return self.features.shape[:2]

    def inputs(self, batch: Any) -> Any:
        """The network's inputs for a batch of variants of the features."""
        if not isinstance(self.network.input, dict):
            return batch
        size = tf.shape(batch)[0]
        fixed = {name: tf.repeat(value, size, axis=0) for name, value in self.others.items()}
        return {name: fixed.get(name, batch) for name in self.network.input}

    def scores(self, variants: np.ndarray) -> np.ndarray:
        """The explained number of each variant (variants, *features' shape) -> (variants,), float64."""
        batches = [variants[i : i + BATCH] for i in range(0, len(variants), BATCH)]
        values = [self.score(self.network(self.inputs(tf.constant(batch)), training=False)) for batch in batches]
        return np.concatenate([value.numpy() for value in values]).astype("float64")

    def gradients(self, variants: np.ndarray) -> np.ndarray:
        """The gradient of the explained number with respect to each variant, of the same shape."""
        found = []
        for i in range(0, len(variants), BATCH):
            batch = tf.constant(variants[i : i + BATCH])
            with tf.GradientTape() as tape:
                tape.watch(batch)
                score = self.score(self.network(self.inputs(batch), training=False))
            found.append(tape.gradient(score, batch).numpy())
        return np.concatenate(found)

    def with_network(self, network: keras.Model) -> Example:
        """The same of another network with the same inputs and outputs."""
        return dataclasses.replace(self, network=network)


def of_class(recognizer: Recognizer, raw: Any, index: int | None = None) -> tuple[Example, np.ndarray]:
    """The logit of a class for one raw example.

    Args:
        recognizer: A classifier of pictures or of clips.
        raw: Pixels, or samples, as `Recognizer.read` returns them.
        index: Of the class; None is the most probable one.

    Returns:
        The Example, and the probabilities of all classes (classes,).
    """
    features, others = features_of(recognizer, raw)
    network = recognizer.inference_network
    example = Example(network, features, others, lambda outputs: outputs[:, 0], baseline_of(recognizer, features))
    found = probabilities(recognizer, example, features[None])[0]
    chosen = int(np.argmax(found)) if index is None else index
    return dataclasses.replace(example, score=lambda outputs: outputs[:, chosen]), found


def probabilities(recognizer: Recognizer, example: Example, variants: np.ndarray) -> np.ndarray:
    """The probabilities that a classifier answers to variants of an example.

    Args:
        recognizer: The classifier.
        example: Whose further inputs they have.
        variants: Features, (variants, *features' shape).

    Returns:
        (variants, classes).
    """
    batches = [tf.constant(variants[i : i + BATCH]) for i in range(0, len(variants), BATCH)]
    given = [recognizer.as_features(example.inputs(batch)) for batch in batches]
    return np.concatenate([recognizer.answers(each)["probabilities"] for each in given])


def features_of(recognizer: Recognizer, raw: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The features of one raw example without the batch, and the network's further inputs with it."""
    found = recognizer.features(recognizer.batch_of_one(raw))
    if not isinstance(found, dict):
        return np.asarray(found)[0], {}
    others = {name: np.asarray(value) for name, value in found.items() if name != "features"}
    return np.asarray(found["features"])[0], others


def baseline_of(recognizer: Recognizer, features: np.ndarray) -> np.ndarray:
    """Features that hold nothing: a picture's mean color, or as quiet frames as the clip has."""
    if recognizer.modality == "image":
        return np.broadcast_to(features.mean(axis=(0, 1)), features.shape).astype(features.dtype)
    lowest = 0.0 if recognizer.frontend.feature_kind == "waveform" else features.min()
    return np.full_like(features, lowest)
