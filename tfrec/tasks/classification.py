"""One label for each example."""

import dataclasses
from typing import ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rich.table import Table

from pipelines.errors import UserError
from tfrec.evaluation.metrics import classification, per_example
from tfrec.reports import plots

OUTPUT_KIND = "vector"  # of its networks
MODEL = "cnn"  # where none is named


@dataclasses.dataclass(frozen=True)
class Config:
    """Cross-entropy over classes."""

    name: Literal["classify"] = "classify"  # task
    label_smoothing: float = 0.0  # part of the target spread over all classes
    test_flip: bool = False  # answer by the mean of the logits of a picture and of its mirror image
    class_weights: Literal["none", "balanced"] = "none"  # balanced: a rare class weighs as much as a frequent one

    def __post_init__(self):
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"task.label_smoothing must be at least 0 and below 1. Received: {self.label_smoothing}")


def labels(config, corpus):
    """The names of the classes; UserError where the corpus has none."""
    if not corpus.class_names:
        raise UserError(
            f"{corpus.name} has transcripts and no classes, which task.name classify needs: set --task.name transcribe."
        )
    return list(corpus.class_names)


def require_labels(stored):
    """UserError for anything but what `labels` gives."""
    if not isinstance(stored, list) or len(stored) < 2 or not all(isinstance(label, str) for label in stored):
        raise UserError("it must hold a JSON list of at least two strings.")


def scores(config):
    """Names of the single numbers that `measure` gives, the usual one first."""
    return ("accuracy", "macro_precision", "macro_recall", "macro_f1", "top5_accuracy", "loss")


class Task:
    """Classification with softmax; targets are class indices (batch,)."""

    monitor: ClassVar = {"loss": "min", "accuracy": "max"}  # what training can watch on the validation split
    bulky: ClassVar = ()  # scores that are not for `metrics.json`

    def __init__(self, config, class_names, counts=None):
        self.config = config
        self.class_names = tuple(class_names)
        self.outputs = len(self.class_names)
        self.weights = None
        if config.class_weights == "balanced" and counts is not None:
            counts = np.maximum(np.asarray(counts, dtype="float64"), 1)
            self.weights = (counts.sum() / (len(counts) * counts)).astype("float32")

    def describe(self):
        """What the answers are, in few words."""
        return f"{self.outputs} classes"

    def doubts(self, corpus):
        """Sentences on what of a corpus cannot be learned: none."""
        return []

    def require_same(self, corpus, path):
        """UserError where the corpus no longer has the classes that the run at `path` was trained on."""
        if tuple(corpus.class_names) != self.class_names:
            raise UserError(
                f"{path} was trained on the classes {', '.join(self.class_names)}, but {corpus.name} now has"
                f" {', '.join(corpus.class_names)}: give it the data it was trained on."
            )

    def targets(self, split):
        """The split itself, whose labels are the targets."""
        return split

    def loss(self):
        """Cross-entropy of each example in nats, smoothed and weighted as configured."""
        smoothing, weights, classes = self.config.label_smoothing, self.weights, self.outputs

        def cross_entropy(labels, logits):
            target = ops.one_hot(ops.cast(labels, "int32"), classes) * (1 - smoothing) + smoothing / classes
            losses = -ops.sum(target * ops.log_softmax(logits), axis=-1)
            return losses if weights is None else losses * ops.take(weights, ops.cast(labels, "int32"))

        return cross_entropy

    def metrics(self):
        """What the progress bar shows beside the loss."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def classifier(self, net):
        """The network that answers: `net`, or with `test_flip` the mean of its logits for a picture and its mirror.

        UserError where there is no picture to mirror.
        """
        if not self.config.test_flip:
            return net
        if isinstance(net.input, dict):
            raise UserError("task.test_flip is for images: leave it out where the features run over time.")
        mirrored = net(ops.flip(net.input, axis=2))
        return keras.Model(net.input, (net.output + mirrored) / 2, name=f"{net.name}_flip")

    def answer(self, logits):
        """Logits -> {"label": string (batch,), "probability": (batch,), "probabilities": (batch, classes)}."""
        probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
        return {
            "label": tf.gather(tf.constant(self.class_names), tf.argmax(probabilities, axis=-1)),
            "probability": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def measure(self, recognizer, split, batch_size):
        """The dict that `metrics.json` holds for a split."""
        return self.score(*recognizer.logits(split, batch_size))

    def quality(self, recognizer, split, batch_size, name="accuracy"):
        """How each example of a split does by one of `scores`, see `metrics.quality`."""
        return per_example.of_classes(name, *recognizer.logits(split, batch_size))

    def score(self, logits, targets):
        """Logits (examples, classes) and class indices -> the dict that `metrics.json` holds for a split."""
        return classification.score(logits, targets, self.class_names)

    def report(self, scores, title):
        """A table for the terminal: precision, recall and F1 of each class, their means, accuracy with its interval."""
        table = Table(title=title, caption=_caption(scores))
        table.add_column("class")
        for column in ("precision", "recall", "F1", "examples"):
            table.add_column(column, justify="right")
        for row in scores["classes"]:
            table.add_row(
                row["label"], *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")), str(row["examples"])
            )
        table.add_section()
        macro = [f"{scores[f'macro_{key}']:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row("macro average", *macro, str(scores["examples"]))
        return table

    def plots(self, scores, folder):
        """Writes the confusion matrix as PNG."""
        plots.confusion(scores["confusion"], self.class_names, folder / "confusion.png")


def _caption(scores):
    low, high = scores["accuracy_interval"]
    f1_low, f1_high = scores["macro_f1_interval"]
    text = (
        f"accuracy {scores['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%}), macro F1 {scores['macro_f1']:.4f}"
    )
    text += f" ({f1_low:.4f} to {f1_high:.4f})"
    return text + (f", top-5 {scores['top5_accuracy']:.2%}" if "top5_accuracy" in scores else "")
