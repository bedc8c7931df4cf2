"""Learning without labels: what the tasks share that train a network for `--model.weights` of another task."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rich.table import Table

from pipelines.datasets import selection
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.evaluation.metrics import representation
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.tasks.base import Task
from tfrec.tasks.embedding import FeatureVector

if TYPE_CHECKING:
    from tfrec.config.schema import ExportConfig
    from tfrec.recognizer import Recognizer

REFERENCE_EXAMPLES = 10_000  # of the training split, at most: linear probe and nearest neighbors learn from them
SCORES = ("probe_accuracy", "knn_accuracy")
COLLAPSED = 0.1  # spread of vectors below which training has collapsed, see `representation.spread`
EXPLAINED = 0.1  # fraction of the error of a constant answer that answers of a task avoid without a collapse
EPSILON = 1e-12
METHODS = {"probe_accuracy": representation.linear_probe, "knn_accuracy": representation.nearest_neighbors}


class Pretraining(Task):
    """A task without labels. It answers with the features of the network, the input of the head.

    Its targets are 0 for each example, and its own head is dropped by the training that starts from its weights.
    Labels are the names of the corpus's classes where it has any, which only `evaluate` uses.
    """

    label_kind = None
    default_model = "cnn"
    served_output = "embedding"
    needs_reference = True

    def __init__(self, config: Any, labels: Sequence[str]) -> None:
        super().__init__(config, list(labels))
        self._reference: tuple[np.ndarray, np.ndarray] | None = None  # features and labels of training examples

    @classmethod
    def find_labels(cls, config: Any, corpus: Corpus) -> list[str]:
        """The names of the classes, if there are any; UserError for pairs."""
        if len(corpus.inputs) > 1:
            raise UserError(f"{corpus.name} has pairs, which task.name {cls.name} does not take: set another.")
        return list(corpus.class_names)

    @classmethod
    def score_names(cls, config: Any) -> tuple[str, ...]:
        """Accuracies of a linear probe and of nearest neighbors, which need labels."""
        return SCORES

    def describe(self) -> str:
        """That there are no labels."""
        return "learned without labels"

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """No sentences; UserError for mixed examples and for batches in parts."""
        if any(getattr(recognizer.config.frontend, name, 0) for name in ("mixup", "cutmix")):
            raise UserError(
                f"task.name {self.name} has no labels to mix: leave out frontend.mixup and frontend.cutmix."
            )
        if recognizer.config.fit.accumulate_steps > 1:
            raise UserError(f"task.name {self.name} takes whole batches: leave out fit.accumulate_steps.")
        return []

    # Training

    def targets(self, split: Split) -> Split:
        """The split with 0 as each example's label: nothing of its labels is used."""
        zeros = tf.data.Dataset.range(split.size).map(tf.zeros_like)
        return split.combined(zeros, lambda example, zero: {**example, "label": zero}, labels=None)

    def inference_network(self, network: keras.Model) -> keras.Model:
        """The network without its head, from features to {"embedding": (batch, units)}; of steps it is the mean."""
        embedder = architectures.embedder(network)
        x = embedder.output["embedding"]
        if len(x.shape) == 3:  # 0 past the end of each clip
            steps = ops.maximum(ops.cast(embedder.output["steps"], "float32"), 1.0)
            x = ops.sum(ops.cast(x, "float32"), axis=1) / steps[:, None]
        return keras.Model(embedder.input, {"embedding": x}, name=f"{network.name}_embedder")

    # Answers

    def embedders(self, network: keras.Model) -> dict[str | None, keras.Model]:
        """The network that answers: its features are the embedding."""
        return {None: self.inference_network(network)}

    def export_outputs(self, outputs: Any, export: ExportConfig) -> dict[str, tf.Tensor]:
        """The features, {"embedding": float32 (batch, units)}."""
        return {"embedding": tf.cast(outputs["embedding"], tf.float32)}

    @classmethod
    def read_answers(cls, outputs: Mapping[str, np.ndarray], labels: Any) -> list[FeatureVector]:
        """A FeatureVector for each example."""
        return [FeatureVector(vector) for vector in outputs["embedding"]]

    # Scores

    def use_reference(self, recognizer: Recognizer, split: Split, batch_size: int = 64) -> None:
        """Computes the features of labeled training examples, at most `REFERENCE_EXAMPLES`, chosen by chance."""
        labels = class_indices(split)
        self._reference = None
        if labels is None or len(set(labels)) < 2:
            return
        if split.size > REFERENCE_EXAMPLES:
            kept = np.zeros(split.size, bool)
            kept[np.random.default_rng(0).permutation(split.size)[:REFERENCE_EXAMPLES]] = True
            split, labels = selection.subset(split, kept), labels[kept]
        self._reference = self._embed(recognizer, split, batch_size), labels

    def _embed(self, recognizer: Recognizer, split: Split, batch_size: int) -> np.ndarray:
        """The features (examples, units) of a split."""
        return recognizer.outputs(self.targets(split), batch_size)[0]["embedding"].astype("float32")

    def evaluate(self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None) -> dict[str, Any]:
        """How far the features are from a collapse, and where there are labels two accuracies with their intervals.

        Those are of a linear probe and of nearest neighbors on the features, which learn from the training split.
        """
        self.require_no_decoding(decode)
        vectors, labels = self._embed(recognizer, split, batch_size), class_indices(split)
        scores: dict[str, Any] = {"embedding_std": representation.spread(vectors), "examples": split.size}
        if labels is not None and self._reference is not None:
            for name, predict in METHODS.items():
                scores |= representation.accuracy(name, predict(*self._reference, vectors), labels)
        return scores

    def per_example(
        self, recognizer: Recognizer, split: Split, batch_size: int, name: str | None = None
    ) -> PerExampleScores:
        """Whether each example is recognized correctly by the linear probe or by its nearest neighbors.

        Raises:
            UserError: where there are no labels.
        """
        name, labels = name or SCORES[0], class_indices(split)
        if labels is None or self._reference is None:
            raise UserError(f"The data has no classes, so that task.name {self.name} has no {name}: give labeled data.")
        answers = METHODS[name](*self._reference, self._embed(recognizer, split, batch_size))
        return PerExampleScores(name, answers == labels, np.ones(split.size, int), answers, labels)

    def report(self, scores: Mapping[str, Any], title: str) -> Table:
        """One row: spread, linear probe, nearest neighbors, number of examples."""
        table = Table("embedding std", "linear probe", "nearest neighbors", "examples", title=title)
        cells = ["" if name not in scores else _with_interval(scores, name) for name in SCORES]
        table.add_row(f"{scores['embedding_std']:.3f}", *cells, f"{scores['examples']:,}")
        return table

    def plot(self, scores: Mapping[str, Any], folder: pathlib.Path) -> None:
        """Draws nothing."""


def _with_interval(scores: Mapping[str, Any], name: str) -> str:
    low, high = scores[f"{name}_interval"]
    return f"{scores[name]:.2%} ({low:.2%} to {high:.2%})"


def unit(vectors: Any) -> Any:
    """Vectors (batch, units) at length 1, float32."""
    vectors = ops.cast(vectors, "float32")
    return vectors / ops.sqrt(ops.maximum(ops.sum(ops.square(vectors), axis=-1, keepdims=True), EPSILON))


def spread(vectors: Any) -> Any:
    """`representation.spread` of the vectors (batch, units) of a batch, as a tensor."""
    return ops.mean(ops.std(unit(vectors), axis=0)) * vectors.shape[-1] ** 0.5


def idle(outputs: Mapping[str, Any]) -> Any:
    """0, and a gradient of 0 for weights that only the features depend on, such as those of a pooling.

    Without one Keras warns at each training.
    """
    return 0.0 * ops.sum(outputs["embedding"]) if "embedding" in outputs else 0.0


def collapse_warnings(logs: Mapping[str, float], vectors: str, remedy: str) -> list[str]:
    """A sentence where vectors, described by `vectors`, have become about the same for all examples.

    Not where the answers of a task differ all the same: the class token of masked pixels is of little use to them.
    """
    if logs.get("val_embedding_std", 1.0) >= COLLAPSED or logs.get("val_explained", 0.0) >= EXPLAINED:
        return []
    return [
        f"the {vectors} of all examples are about the same (val_embedding_std below {COLLAPSED}), so that training has"
        f" collapsed: {remedy}."
    ]


@keras.saving.register_keras_serializable("tfrec")
class Explained(keras.metrics.Metric):
    """The fraction of the error of a constant answer that answers avoid: 1 for no error, 0 for no better than constant.

    Args:
        name: of the metric.
    """

    def __init__(self, name: str = "explained") -> None:
        super().__init__(name=name)
        self.error = self.add_variable((), initializer="zeros", name="error")
        self.constant = self.add_variable((), initializer="zeros", name="constant")

    def update_state(self, errors: Any, constant_errors: Any, sample_weight: Any = None) -> None:
        """Adds errors of any shape, those of the constant answer, and weights of the same shape."""
        weights = ops.ones_like(errors) if sample_weight is None else sample_weight
        self.error.assign_add(ops.sum(errors * weights))
        self.constant.assign_add(ops.sum(constant_errors * weights))

    def result(self) -> Any:
        """At most 1; negative for answers worse than a constant."""
        return 1.0 - self.error / ops.maximum(self.constant, EPSILON)


def class_indices(split: Split) -> np.ndarray | None:
    """The class of each example, int64 (examples,); None where the split has no classes."""
    spec = split.examples.element_spec.get("label")
    if split.labels is None and (spec is None or spec.dtype != tf.int64 or spec.shape.rank):
        return None
    return split.read_labels()
