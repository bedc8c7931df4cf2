"""How well a classifier separates examples of its classes from others, such as pictures of something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from scipy import special

from pipelines.datasets import selection
from pipelines.datasets.base import Split
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.evaluation.metrics import detection, out_of_domain

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

MAX_TRAINING = 10_000  # examples whose features are the classes' means and covariance


class Measured(NamedTuple):
    """What `measure` returns.

    Attributes:
        scores: A dict of JSON values, and "predictions" of the other examples.
        values: {score: (of examples of the classes, of others)}, for plots.
    """

    scores: dict[str, Any]
    values: dict[str, tuple[np.ndarray, np.ndarray]]


def measure(recognizer: Recognizer, inside: Split, outside: Split, training: Split, batch_size: int) -> Measured:
    """Scores examples of the classes and others, see `metrics.out_of_domain`.

    Examples of classes that stand for what is to be rejected, such as silence, are left out, and so are these classes
    from the scores.

    Args:
        recognizer: A classifier of pictures or of clips.
        inside: Examples of its classes.
        outside: Others.
        training: Its training examples; of many some are drawn.
        batch_size: Examples in a batch.

    Returns:
        The scores and their values.

    Raises:
        UserError: All examples of the classes are to be rejected.
    """
    names = recognizer.task.class_names
    accepted = ~detection.rejected_classes(names)
    both = _with_features(recognizer)
    learned, labels = both.outputs(_drawn(training), batch_size)
    known = accepted[labels]
    distance = out_of_domain.Mahalanobis(learned["embedding"][known], labels[known])
    of_inside, labels = both.outputs(inside, batch_size)
    of_inside = {name: values[accepted[labels]] for name, values in of_inside.items()}
    if not len(of_inside["logits"]):
        raise UserError("--ood: every measured example is of a class that is to be rejected: give another --split.")
    of_outside, _ = both.outputs(outside, batch_size)
    found = [_scores(outputs, distance, accepted) for outputs in (of_inside, of_outside)]
    values = {name: (found[0][name], found[1][name]) for name in found[0]}
    answers = np.where(accepted, of_outside["logits"], -np.inf).argmax(axis=-1)
    sources = outside.sources or [str(i + 1) for i in range(outside.size)]
    rows = [
        {"path": path, "answer": names[answer], **{name: float(pair[1][i]) for name, pair in values.items()}}
        for i, (path, answer) in enumerate(zip(sources, answers, strict=True))
    ]
    scores = {
        "examples": len(of_inside["logits"]),
        "other_examples": outside.size,
        "training_examples": int(known.sum()),
        "shrinkage": float(distance.shrinkage),
        **{name: out_of_domain.compare(*pair) for name, pair in values.items()},
        "predictions": rows,
    }
    return Measured(scores, values)


def _scores(
    outputs: Mapping[str, np.ndarray], distance: out_of_domain.Mahalanobis, accepted: np.ndarray
) -> dict[str, np.ndarray]:
    """Each score of examples, (examples,)."""
    logits = outputs["logits"].astype("float64")
    return {
        "energy": out_of_domain.energy(logits[:, accepted]),
        "mahalanobis": distance(outputs["embedding"]),
        "maximum_probability": detection.scores(special.softmax(logits, axis=-1), ~accepted),
    }


def _with_features(recognizer: Recognizer) -> Recognizer:
    """A recognizer whose outputs are logits and features."""
    answering, embedder = recognizer.inference_network, architectures.embedder(recognizer.network)
    outputs = {"logits": answering.output, "embedding": embedder.output["embedding"]}
    return recognizer.replace(inference_network=keras.Model(answering.input, outputs))


def _drawn(split: Split) -> Split:
    """At most `MAX_TRAINING` examples of a split, drawn with a fixed seed."""
    if split.size <= MAX_TRAINING:
        return split
    mask = np.zeros(split.size, bool)
    mask[np.random.default_rng(0).permutation(split.size)[:MAX_TRAINING]] = True
    return selection.subset(split, mask)
