"""What a network's outputs mean: the abstract task, and what it answers and finds."""

from __future__ import annotations

import abc
import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.datasets.base import Corpus, LabelKind, Split
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.decoding.words import Word
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.tasks.group_weights import GroupWeights

if TYPE_CHECKING:
    from tfrec.config.schema import ExportConfig
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

SHOWN_EXAMPLES = 3  # of a finding


@dataclasses.dataclass(frozen=True)
class Answer(abc.ABC):
    """What a task says about one example."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The answer as `predict --json` prints it, without the file."""

    in_table: ClassVar[bool] = True  # whether `table` makes one table of several answers, rather than lines of each

    def columns(self) -> dict[str, Any]:
        """The answer as a row of a CSV file, without the file: what of `to_dict` is a text or a number."""
        return {name: value for name, value in self.to_dict().items() if not isinstance(value, dict | list)}

    def plain(self) -> str:
        """The answer alone, on a line: the first column."""
        return str(next(iter(self.columns().values())))

    def top(self, count: int) -> Answer:
        """The answer with its `count` most probable classes alone; UserError where there are no classes."""
        raise UserError("--top: this model has no classes to choose from; leave it out.")

    def of_speaker(self, name: str) -> Answer:
        """The answer as that of one of several speakers; UserError where an answer has none."""
        raise UserError("--channels apart: this model does not transcribe; leave it out.")

    def speaker_name(self) -> str | None:
        """Whose answer it is, where a recording has several."""
        return None

    def timed_words(self) -> Sequence[Word] | None:
        """The words of a transcript; None where there are none with times."""
        return None

    @classmethod
    @abc.abstractmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Any:
        """What `predict` prints for `(file, answer)` pairs: anything that rich renders."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something about a split that a user should know before training on it."""

    split: str
    what: str
    count: int  # examples, or symbols
    of: int
    examples: tuple[str, ...]  # some of them
    harmful: bool  # whether training cannot go well with them


def require_no_options(exported: ExportedRecognizer, options: Mapping[str, Any]) -> None:
    """Raises UserError for options of `predict` that an export does not have."""
    if options:
        flags = ", ".join(f"--{name}" for name in options)
        raise UserError(f"{flags}: only a run takes this, and {exported.path} is an export; leave it out.")


def finding(name: str, split: Split, what: str, places: Sequence[int] | np.ndarray, harmful: bool) -> list[Finding]:
    """The Finding that `what` is true of the examples at some places of a split; empty without places."""
    if not len(places):
        return []
    sources = split.sources or [f"example {i + 1}" for i in range(split.size)]
    shown = tuple(os.path.basename(str(sources[i])) for i in places[:SHOWN_EXAMPLES])
    return [Finding(name, what, len(places), split.size, shown, harmful)]


def source_names(split: Split) -> list[str]:
    """Path or name of each example of a split; its number, from 1, where the corpus has none."""
    if split.sources is None:
        return [str(i + 1) for i in range(split.size)]
    return [os.fspath(source) for source in split.sources]


class Task(abc.ABC):
    """Owns what outputs mean: targets, loss, metrics, decoding, scores, reports, export.

    A task is a subclass in a file of its own and a line in `tfrec.tasks.TASKS`. Methods that are not abstract have
    defaults that suit a task with one output vector per example and a loss that is a mean over examples.

    Args:
        config: an instance of `config_type`.
        labels: what `find_labels` returned for the corpus, or the same from a run's labels.json.

    Raises:
        UserError: for labels that `check_labels` refuses.
    """

    name: ClassVar[str]
    config_type: ClassVar[type]  # frozen dataclass of the settings `task.*`
    default_model: ClassVar[str]  # architecture where none is named
    default_pair_model: ClassVar[str | None] = None  # likewise of pairs, where it is another one
    label_kind: ClassVar[LabelKind | None]  # what the labels of its corpora are; None where it needs none
    served_output: ClassVar[str] = ""  # of its exports, by which a client of a server recognizes the task
    output_kind: ClassVar[str] = "vector"  # of its networks: "vector", "sequence", "pair", or "any" of them
    needs_labels: ClassVar[bool] = False  # whether `read_answers` reads its labels
    xla: ClassVar[bool] = True  # whether XLA can compile the loss
    augments_validation: ClassVar[bool] = False  # whether the loss of the validation split needs augmentation
    needs_reference: ClassVar[bool] = False  # whether `evaluate` needs the training split, see `use_reference`
    bulky_scores: ClassVar[tuple[str, ...]] = ()  # scores that are written to files of their own, not to metrics.json

    answers_pairs: ClassVar[bool] = False  # whether `predictor` takes a picture and a clip together
    takes_blocks: ClassVar[bool] = False  # whether `predictor` takes a recording in blocks of samples

    num_outputs: int  # size of the architecture's last layer
    class_names: tuple[str, ...] = ()  # names of the outputs, where they have any
    monitors: Mapping[str, Literal["min", "max"]]  # what training can watch on the validation split

    def __init__(self, config: Any, labels: Any) -> None:
        self.check_labels(labels)
        self.config, self.labels = config, labels

    # What a corpus must offer, and what training must know of it

    @classmethod
    @abc.abstractmethod
    def find_labels(cls, config: Any, corpus: Corpus) -> Any:
        """What the task must know of a corpus, as JSON; UserError where the corpus is for another task."""

    @classmethod
    def check_labels(cls, labels: Any) -> None:
        """Raises UserError for anything but what `find_labels` returns; here that is a list of strings."""
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise UserError("it must hold a JSON list of strings.")

    @classmethod
    @abc.abstractmethod
    def score_names(cls, config: Any) -> tuple[str, ...]:
        """Names of the single numbers that `evaluate` returns, the usual one first."""

    @classmethod
    def search_space(cls, config: Any) -> tuple[str, ...]:
        """What a sweep searches in the task by default, as lines of the sweep's grammar."""
        return ()

    def prepare(self, split: Split) -> None:  # noqa: B027, most tasks learn nothing
        """Learns what the loss needs from the training split, before training."""

    @abc.abstractmethod
    def describe(self) -> str:
        """What the answers are, in few words, such as "10 classes"."""

    def warnings(self, corpus: Corpus) -> list[str]:
        """Sentences on what of a corpus the task cannot learn."""
        return []

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """Sentences on training examples that the network cannot learn from; UserError where it can from none."""
        return []

    def findings(self, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
        """What is wrong or strange about the labels of a split, named `name`."""
        return []

    def check_corpus(self, corpus: Corpus, path: pathlib.Path) -> None:  # noqa: B027, most tasks take any
        """Raises UserError where a corpus does not fit what the run at `path` has learned."""

    @classmethod
    def check_export(cls, export: ExportConfig) -> None:
        """Raises UserError for export settings that the task does not have."""
        if export.beam_width > 1:
            raise UserError(f"export.beam_width: task.name {cls.name} has no beam search; leave it out.")

    # Training

    def build_network(self, config: Any, frontend: Any) -> keras.Model:
        """The network that is trained: that of an architecture's config for the features of a frontend."""
        shape, kind = frontend.feature_shape, frontend.feature_kind
        return architectures.build_network(config, shape, self.num_outputs, kind, self.output_kind)

    def targets(self, split: Split) -> Split:
        """The split with what the network learns as each example's label."""
        return split

    def training_inputs(self, inputs: Any, targets: Any) -> Any:
        """The inputs of a batch in training.

        With targets among them where a decoder reads its own past, and each example twice where two views are compared.
        """
        return inputs

    def pretext(self, recognizer: Recognizer) -> keras.layers.Layer | None:
        """The layer by which features become their own targets; None where the corpus has the targets.

        It takes the features of a batch and returns the features that the network gets, in which something is hidden,
        and the targets of the loss.
        """
        return None

    def example_losses(self, outputs: Any, targets: Any) -> Any:
        """Losses `(batch,)` of outputs and targets; a task has this method or its own `loss`."""
        raise NotImplementedError(f"{type(self).__name__} has neither example_losses nor loss")

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """Loss of a batch: the mean over its examples, each times its weight `(batch,)` where weights are given."""
        losses = self.example_losses(outputs, targets)
        return ops.mean(losses if weights is None else losses * ops.cast(weights, losses.dtype))

    def loss_count(self, outputs: Any, targets: Any) -> Any:
        """Number of examples of a batch that `loss` is the mean of, by which the losses of its parts are weighted."""
        return ops.shape(keras.tree.flatten(outputs)[0])[0]

    @property
    def group_weights(self) -> GroupWeights | None:
        """The settings of a training against the worst group of examples; None for another training."""
        settings = self.config
        return settings if isinstance(settings, GroupWeights) and settings.group_weights == "worst" else None

    def metrics(self) -> list[keras.Metric]:
        """Fresh metrics that the progress bar shows with the loss."""
        return []

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds a batch to the metrics of `metrics`."""
        for metric in metrics:
            metric.update_state(targets, outputs)

    def validation_callback(self, training: Any, split: Split, batch_size: int) -> keras.callbacks.Callback | None:
        """A callback that measures the validation split after each epoch; None for only loss and metrics.

        It adds its figures to the epoch's logs as `val_NAME`.
        """
        return None

    def epoch_warnings(self, logs: Mapping[str, float]) -> list[str]:
        """Sentences on the figures of an epoch that a user should read while training."""
        return []

    def inference_network(self, network: keras.Model) -> keras.Model:
        """The model that answers: the network itself, a part of it, or a mean over several views."""
        return network

    def calibrate(self, recognizer: Recognizer, split: Split, batch_size: int) -> dict[str, Any]:
        """What the answers need that is chosen on the validation split after training, as JSON; empty for nothing."""
        return {}

    def use_decision(self, decision: Mapping[str, Any]) -> None:  # noqa: B027, most tasks choose nothing
        """Takes what `calibrate` has returned."""

    # Answers

    @abc.abstractmethod
    def export_outputs(self, outputs: Any, export: ExportConfig) -> dict[str, tf.Tensor]:
        """TensorFlow code from the network's outputs to the named outputs of the export."""

    def device_outputs(self, outputs: Any) -> dict[str, tf.Tensor]:
        """TensorFlow code from the network's outputs to what a file for a device answers in addition: numbers."""
        return {}

    def exporter(self, recognizer: Recognizer) -> Callable[[Any], dict[str, tf.Tensor]]:
        """The function from the network's outputs to those of the export: `export_outputs`, and what it adds."""
        return lambda outputs: self.export_outputs(outputs, recognizer.config.export)

    @classmethod
    @abc.abstractmethod
    def read_answers(cls, outputs: Mapping[str, np.ndarray], labels: Any) -> Sequence[Answer]:
        """Outputs of `export_outputs` for a batch, as arrays -> an Answer for each example."""

    @classmethod
    def served_answers(cls, outputs: Mapping[str, np.ndarray]) -> Sequence[Answer]:
        """What `read_answers` returns, by a client that has the outputs of a server and no labels."""
        return cls.read_answers(outputs, None)

    def description(self, recognizer: Recognizer) -> dict[str, Any]:
        """What a client of the export must know beyond the input: entries of `assets.extra/tfrec.json`."""
        return {}

    def embedders(self, network: keras.Model) -> dict[str | None, keras.Model]:
        """The networks of the export's signatures of embeddings: of all raw inputs (None), or of one by its name."""
        return {None: architectures.embedder(network)}

    def further_signatures(self) -> dict[str, Callable[[Any], dict[str, tf.Tensor]]]:
        """Signatures of the export with the inputs of `tensor`: {name: function of the network's outputs}."""
        return {}

    @classmethod
    def text_normalizer(cls, config: Any) -> Callable[[str], str]:
        """A function from a transcript to the form that the task scores; UserError for tasks without texts."""
        raise UserError(f"task.name {cls.name} has no texts: set another --task.name.")

    def predictor(self, recognizer: Recognizer, **options: Any) -> Callable[[np.ndarray], Answer]:
        """A function from one raw example, pixels or samples, to its Answer.

        Raises:
            UserError: for options that the task does not have.
        """
        self.require_no_options(options)
        answers = recognizer.answer_function()
        return lambda raw: self.read_answers(answers(recognizer.batch_of_one(raw)), self.labels)[0]

    @classmethod
    def export_predictor(cls, exported: ExportedRecognizer, **options: Any) -> Callable[[Any], Answer]:
        """A function from one raw example, pixels or samples, to the Answer of an export.

        Raises:
            UserError: for options, which an export does not have.
        """
        require_no_options(exported, options)
        labels = exported.description.get("labels")
        return lambda raw: cls.read_answers(exported.answers(exported.batch_of_one(raw)), labels)[0]

    def stream(self, recognizer: Recognizer) -> Any:
        """What recognizes while sound arrives, see `inference.streaming`; UserError where the task cannot."""
        raise UserError(f"--stream: task.name {self.name} does not take this; leave it out.")

    # Scores

    def use_reference(self, recognizer: Recognizer, split: Split, batch_size: int = 64) -> None:  # noqa: B027
        """Takes the training split, with which `evaluate` compares other examples where the task needs it."""

    @abc.abstractmethod
    def evaluate(self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None) -> dict[str, Any]:
        """Everything that metrics.json holds about a split, and what is in `bulky_scores`.

        Raises:
            UserError: for `decode` where the task does not decode.
        """

    @abc.abstractmethod
    def per_example(
        self, recognizer: Recognizer, split: Split, batch_size: int, name: str | None = None
    ) -> PerExampleScores:
        """How each example of a split scores by one of `score_names`; None is the usual one."""

    def reliability(self, scores: PerExampleScores, examples: np.ndarray) -> dict[str, Any]:
        """Scores of the probabilities of some of the examples, as JSON; empty where there are no probabilities."""
        return {}

    @abc.abstractmethod
    def report(self, scores: Mapping[str, Any], title: str) -> Any:
        """Scores as a table for the terminal."""

    @abc.abstractmethod
    def plot(self, scores: Mapping[str, Any], folder: pathlib.Path) -> None:
        """Writes the scores as pictures or pages into a folder."""

    def predictions(self, scores: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The answer to each example, from what `evaluate` returned: rows of predictions_SPLIT.csv."""
        return scores.get("predictions", ())

    def require_no_options(self, options: Mapping[str, Any]) -> None:
        """Raises UserError for options of `predict`: for tasks that have none."""
        if options:
            flags = ", ".join(f"--{name}" for name in options)
            raise UserError(f"{flags}: task.name {self.name} does not take this; leave it out.")

    def require_no_decoding(self, decode: Any) -> None:
        """Raises UserError for decoding options: for tasks that do not decode."""
        if decode is not None:
            raise UserError(f"--decode: task.name {self.name} does not decode; leave it out.")
