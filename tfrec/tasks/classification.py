"""One label for each example."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rich.table import Table
from scipy import special

from pipelines import paths
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.evaluation.metrics import calibration, classification, conformal, detection, per_example
from tfrec.evaluation.metrics.per_example import PerExampleScores as PerExampleScores
from tfrec.reports import detection_plot, plots
from tfrec.reports.reliability import summary
from tfrec.tasks.base import SHOWN_EXAMPLES, Answer, Finding, Task, require_no_options, source_names
from tfrec.tasks.group_weights import GroupWeights
from tfrec.tasks.label import Label as Label

if TYPE_CHECKING:
    from tfrec.config.schema import ExportConfig
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

TOP_CLASSES = 5  # of the export's "top_labels"
MAX_CLASSES = 40  # in the table of scores; of more, only the worst are shown
WORST_CLASSES = 20
RARE = 0.1  # of the most frequent class's training examples: fewer are rare
FREQUENT = 0.8  # of a split: a class with more decides the accuracy


@dataclasses.dataclass(frozen=True)
class Config(GroupWeights):
    """Cross-entropy over classes."""

    name: Literal["classify"] = "classify"  # task
    label_smoothing: float = 0.0  # part of the target spread over all classes
    test_flip: bool = False  # answer by the mean of the logits of a picture and of its mirror image
    class_weights: Literal["none", "balanced"] = "none"  # balanced: a rare class weighs as much as a frequent one
    # Fraction of the validation examples to be rejected, such as of silence, that may be accepted; without such
    # examples, of all that may be accepted with a wrong answer. Sets the threshold of `accepted`
    false_alarm_rate: float = 0.01
    # Fraction of examples whose prediction set holds their class, as guaranteed by the validation split
    conformal: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"task.label_smoothing must be at least 0 and below 1. Received: {self.label_smoothing}")
        if not 0 <= self.false_alarm_rate < 1:
            raise ValueError(f"task.false_alarm_rate must be at least 0 and below 1. Received: {self.false_alarm_rate}")
        if not 0 < self.conformal < 1:
            raise ValueError(f"task.conformal must be above 0 and below 1. Received: {self.conformal}")


class Classification(Task):
    """Softmax classification; targets are class indices `(batch,)`, labels the names of the classes."""

    name = "classify"
    config_type = Config
    default_model = "cnn"
    default_pair_model = "av_fusion"
    answers_pairs = True
    served_output = "label"
    label_kind = "classes"
    needs_labels = True
    bulky_scores = ("predictions",)

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, list(labels))
        self.class_names = tuple(labels)
        self.num_outputs = len(self.class_names)
        self.monitors = {"loss": "min", "accuracy": "max"}
        self.class_weights: np.ndarray | None = None
        self.rejected = detection.rejected_classes(self.class_names)
        self.threshold = 0.0  # of `accepted`
        self.temperature = 1.0  # by which logits are divided before the softmax
        self.conformal: Mapping[str, Any] | None = (
            None  # "level", "threshold" and "examples" of the fit of prediction sets
        )

    @classmethod
    def find_labels(cls, config: Config, corpus: Corpus) -> list[str]:
        """The names of the classes; UserError where the corpus has none."""
        if not corpus.class_names:
            raise UserError(f"{corpus.name} has no classes, which task.name {cls.name} needs: set another --task.name.")
        return list(corpus.class_names)

    @classmethod
    def check_labels(cls, labels: Any) -> None:
        """Raises UserError for anything but a list of at least two strings."""
        if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
            raise UserError("it must hold a JSON list of at least two strings.")

    @classmethod
    def score_names(cls, config: Config) -> tuple[str, ...]:
        """Names of the single numbers that `evaluate` returns, the usual one first."""
        return ("accuracy", "macro_precision", "macro_recall", "macro_f1", "top5_accuracy", "loss")

    def prepare(self, split: Split) -> None:
        """Counts the training examples of each class where rare classes weigh more."""
        if self.config.class_weights == "balanced":
            counts = np.maximum(class_counts(split, self.num_outputs), 1)
            self.class_weights = (counts.sum() / (len(counts) * counts)).astype("float32")

    def describe(self) -> str:
        """The number of classes."""
        return f"{self.num_outputs} classes"

    def check_corpus(self, corpus: Corpus, path: pathlib.Path) -> None:
        """Raises UserError where the corpus does not have the classes that the run at `path` was trained on."""
        if tuple(corpus.class_names) != self.class_names:
            raise UserError(
                f"{path} was trained on the classes {', '.join(self.class_names)}, but {corpus.name} now has"
                f" {', '.join(corpus.class_names)}: give it the data it was trained on."
            )

    def findings(self, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
        """Classes that are absent or rare in the training split, and one that decides the accuracy of another."""
        counts = class_counts(split, self.num_outputs)
        if name != "train":
            return self._majority(name, counts)
        absent, rare = counts == 0, (counts > 0) & (counts < RARE * counts.max())
        advice = "" if self.config.class_weights == "balanced" else "; consider task.class_weights balanced"
        found = []
        for which, what, harmful in (
            (absent, "classes have no training examples", True),
            (
                rare,
                f"classes have less than a tenth of the examples of {self.class_names[counts.argmax()]}{advice}",
                False,
            ),
        ):
            names = tuple(f"{self.class_names[i]} ({counts[i]:,})" for i in np.flatnonzero(which)[:SHOWN_EXAMPLES])
            if names:
                found.append(Finding(name, what, int(which.sum()), self.num_outputs, names, harmful))
        return found

    def _majority(self, name: str, counts: np.ndarray) -> list[Finding]:
        """The class that is most of a split."""
        count, total, label = int(counts.max()), int(counts.sum()), self.class_names[counts.argmax()]
        if count < FREQUENT * total:
            return []
        what = f"examples are {label}: always answering it has an accuracy of {count / total:.1%}; see macro F1"
        return [Finding(name, what, count, total, (label,), False)]

    def example_losses(self, outputs: Any, targets: Any) -> Any:
        """Cross-entropy `(batch,)` in nats, smoothed and weighted as configured."""
        smoothing, classes = self.config.label_smoothing, self.num_outputs
        targets = ops.cast(targets, "int32")
        expected = ops.one_hot(targets, classes) * (1 - smoothing) + smoothing / classes
        losses = -ops.sum(expected * ops.log_softmax(outputs), axis=-1)
        return losses if self.class_weights is None else losses * ops.take(self.class_weights, targets)

    def metrics(self) -> list[keras.Metric]:
        """Accuracy."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def inference_network(self, network: keras.Model) -> keras.Model:
        """The network, or with `test_flip` the mean of its logits for a picture and its mirror image.

        Raises:
            UserError: where there is no picture to mirror.
        """
        if not self.config.test_flip:
            return network
        if isinstance(network.input, dict):
            raise UserError("task.test_flip is for images: leave it out for clips and for pairs.")
        mirrored = network(ops.flip(network.input, axis=2))
        return keras.Model(network.input, (network.output + mirrored) / 2, name=f"{network.name}_flip")

    def calibrate(self, recognizer: Recognizer, split: Split, batch_size: int) -> dict[str, Any]:
        """Chooses temperature, threshold of `accepted` and threshold of prediction sets on the validation split.

        See `calibration.fit_temperature`, `detection.choose_threshold` and `conformal.fit_threshold`.
        """
        logits, labels = recognizer.outputs(split, batch_size)
        rate, level = self.config.false_alarm_rate, self.config.conformal
        temperature = calibration.fit_temperature(logits, labels)
        probabilities = special.softmax(logits.astype("float64") / temperature, axis=-1)
        decision = {
            "temperature": temperature,
            "threshold": detection.choose_threshold(probabilities, labels, self.rejected, rate),
            "false_alarm_rate": rate,
            "rejected": [name for name, rejected in zip(self.class_names, self.rejected, strict=True) if rejected],
        }
        if recognizer.config.data.train_on_validation:  # no guarantee
            return decision
        threshold = conformal.fit_threshold(probabilities, labels, level)
        return decision | {"conformal": {"level": level, "threshold": threshold, "examples": len(labels)}}

    def use_decision(self, decision: Mapping[str, Any]) -> None:
        """Takes the temperature and the thresholds that `calibrate` has chosen."""
        self.threshold = float(decision["threshold"])
        self.temperature = float(decision.get("temperature", 1.0))  # older runs have none
        self.conformal = decision.get("conformal")  # likewise

    def export_outputs(self, outputs: Any, export: ExportConfig) -> dict[str, tf.Tensor]:
        """Logits -> {"label": string (batch,), "probability": (batch,), "probabilities": (batch, classes), ...}.

        "accepted": bool (batch,), whether the probability reaches the threshold and the class is not to be rejected;
        "top_labels" and "top_probabilities" (batch, k), of the k most probable classes; "logits" (batch, classes);
        "prediction_sets": bool (batch, classes), see `metrics.conformal`, where `calibrate` has chosen their threshold.
        """
        logits = tf.cast(outputs, tf.float32) / self.temperature
        probabilities = tf.nn.softmax(logits)
        top = tf.math.top_k(probabilities, min(TOP_CLASSES, self.num_outputs))
        best = tf.argmax(probabilities, axis=-1)
        named = tf.logical_not(tf.gather(tf.constant(self.rejected), best))
        sets = {}
        if self.conformal is not None:
            is_best = tf.one_hot(best, self.num_outputs, on_value=True, off_value=False)
            sets = {"prediction_sets": tf.logical_or(probabilities >= self.conformal["threshold"], is_best)}
        return {
            **sets,
            "accepted": tf.logical_and(named, tf.reduce_max(probabilities, axis=-1) >= self.threshold),
            "label": tf.gather(tf.constant(self.class_names), best),
            "logits": logits,
            "probability": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
            "top_labels": tf.gather(tf.constant(self.class_names), top.indices),
            "top_probabilities": top.values,
        }

    def device_outputs(self, outputs: Any) -> dict[str, tf.Tensor]:
        """Logits -> {"probabilities": (batch, classes)}."""
        return {"probabilities": tf.nn.softmax(tf.cast(outputs, tf.float32) / self.temperature)}

    @classmethod
    def read_answers(cls, outputs: Mapping[str, np.ndarray], labels: Sequence[str]) -> list[Label]:
        """A Label for each row of "probabilities"."""
        rows = outputs["probabilities"]
        accepted = outputs.get("accepted", np.ones(len(rows), bool))  # older exports have none
        return [Label(tuple(labels), row, bool(taken)) for row, taken in zip(rows, accepted, strict=True)]

    @classmethod
    def served_answers(cls, outputs: Mapping[str, np.ndarray]) -> list[Label]:
        """A Label for each row, of the most probable classes, whose names are among the outputs."""
        labels = outputs.get("top_labels", outputs["label"][:, None])  # older exports name one class
        probabilities = outputs.get("top_probabilities", outputs["probability"][:, None])
        accepted = outputs.get("accepted", np.ones(len(labels), bool))
        return [
            Label(tuple(name.decode() for name in names), row, bool(taken))
            for names, row, taken in zip(labels, probabilities, accepted, strict=True)
        ]

    def description(self, recognizer: Recognizer) -> dict[str, Any]:
        """The names of the classes, in the order of "probabilities", and the thresholds of the decisions."""
        sets = self.conformal
        known = {} if sets is None else {"set_threshold": sets["threshold"], "set_coverage": sets["level"]}
        return {"labels": list(self.class_names), "threshold": self.threshold, **known}

    def predictor(self, recognizer: Recognizer, **options: Any) -> Callable[[Any], Answer]:
        """A function from one raw example to its Label; of pairs it takes the picture or the clip alone, too.

        Raises:
            UserError: for options.
        """
        if len(recognizer.frontend.parts()) == 1:
            return super().predictor(recognizer, **options)
        self.require_no_options(options)
        answers = functools.cache(lambda *given: recognizer.of_inputs(given).answer_function())

        def answer(raw: Mapping[str, np.ndarray]) -> Answer:
            outputs = answers(*sorted(raw))(recognizer.batch_of_one(raw))
            return self.read_answers(outputs, self.labels)[0]

        return answer

    @classmethod
    def export_predictor(cls, exported: ExportedRecognizer, **options: Any) -> Callable[[Any], Answer]:
        """A function from one raw example to the Label of an export; of pairs it takes one input alone, too.

        Raises:
            UserError: for options.
        """
        require_no_options(exported, options)
        labels = exported.description["labels"]

        def answer(raw: Any) -> Answer:
            is_alone = isinstance(raw, dict) and len(raw) == 1
            signature = f"{next(iter(raw))}_only_tensor" if is_alone else "tensor"
            return cls.read_answers(exported.answers(exported.batch_of_one(raw), signature=signature), labels)[0]

        return answer

    def evaluate(self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None) -> dict[str, Any]:
        """Accuracy, precision, recall, F1, confusion and loss, see `classification.score`, and "predictions".

        Where the split has examples that are to be rejected, "detection" holds what `detection.score` returns.
        """
        self.require_no_decoding(decode)
        logits, targets = recognizer.outputs(split, batch_size)
        probabilities = ops.convert_to_numpy(ops.softmax(ops.cast(logits, "float32") / self.temperature))
        answers = probabilities.argmax(axis=-1)
        names = self.class_names
        rows = [
            {"path": path, "label": names[label], "answer": names[answer], "probability": row[answer]}
            for path, label, answer, row in zip(source_names(split), targets, answers, probabilities, strict=True)
        ]
        return {**self.score(logits, targets), "predictions": rows}

    def per_example(
        self, recognizer: Recognizer, split: Split, batch_size: int, name: str | None = None
    ) -> PerExampleScores:
        """How each example of a split scores by one of `score_names`."""
        logits, labels = recognizer.outputs(split, batch_size)
        scores = per_example.from_logits(name or "accuracy", logits, labels)
        return dataclasses.replace(scores, probabilities=self._probabilities(logits))

    def reliability(self, scores: PerExampleScores, examples: np.ndarray) -> dict[str, Any]:
        """Calibration and prediction sets of some of the examples, as in `score`."""
        if scores.probabilities is None or scores.labels is None:
            return {}
        return self._reliability(scores.probabilities[examples], scores.labels[examples])

    def _reliability(self, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
        measured = {"calibration": {"temperature": self.temperature, **calibration.score(probabilities, labels)}}
        if self.conformal is not None:
            measured["conformal"] = conformal.score(probabilities, labels, self.class_names, **self.conformal)
        return measured

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        return special.softmax(np.asarray(logits, "float64") / self.temperature, axis=-1)

    def score(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Logits `(examples, classes)` and class indices -> the dict that metrics.json holds for a split."""
        measured = classification.score(logits, targets, self.class_names)
        probabilities = self._probabilities(logits)
        measured |= self._reliability(probabilities, targets)
        detected = detection.score(probabilities, targets, self.class_names, self.threshold)
        return measured if detected is None else {**measured, "detection": detected}

    def report(self, scores: Mapping[str, Any], title: str) -> Table:
        """A table: precision, recall and F1 of each class, their means, accuracy with its interval.

        Of more than `MAX_CLASSES` classes it has the `WORST_CLASSES` with the lowest F1.
        """
        rows, caption = scores["classes"], summary.caption(scores)
        if len(rows) > MAX_CLASSES:
            rows = sorted((row for row in rows if row["examples"]), key=lambda row: row["f1"])[:WORST_CLASSES]
            caption += f"; the worst {len(rows)} of {len(scores['classes'])} classes are shown, metrics.json has all"
        table = Table(title=title, caption=caption)
        table.add_column("class")
        for column in ("precision", "recall", "F1", "examples"):
            table.add_column(column, justify="right")
        for row in rows:
            values = [f"{row[key]:.3f}" if row["examples"] else "-" for key in ("precision", "recall", "f1")]
            table.add_row(paths.shown(row["label"]), *values, str(row["examples"]))
        table.add_section()
        macro = [f"{scores[f'macro_{key}']:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row("macro average", *macro, str(scores["examples"]))
        return table

    def plot(self, scores: Mapping[str, Any], folder: pathlib.Path) -> None:
        """Writes the confusion matrix and, where something is to be rejected, the errors of detection as PNG."""
        plots.confusion(scores["confusion"], self.class_names, folder / "confusion.png")
        plots.reliability(scores["calibration"], folder / "reliability.png")
        if "detection" in scores:
            detection_plot.draw(scores["detection"], folder / "detection.png")


def class_counts(split: Split, classes: int) -> np.ndarray:
    """Number of examples of each class; reads the data where the split does not know its labels."""
    labels = split.labels
    if labels is None:
        labels = np.array([example["label"] for example in split.examples.as_numpy_iterator()])
    return np.bincount(labels, minlength=classes)
