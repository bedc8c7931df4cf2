"""Pictures and clips in one space of embeddings: which picture belongs to a clip, and which clip to a picture."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rich.table import Table

from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.evaluation.metrics import retrieval
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.tasks.base import Answer, Finding, Task, require_no_options, source_names
from tfrec.tasks.embedding import Embedding, Similarity

if TYPE_CHECKING:
    from tfrec.config.schema import ExportConfig
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

DIRECTIONS = {"image_to_audio": ("image", "audio"), "audio_to_image": ("audio", "image")}  # queries, candidates
FEW_NEGATIVES = 8  # of a pair in a batch on average: with fewer, training learns little
SCORES = ("recall_at_1", "recall_at_5", "recall_at_10", "mean_reciprocal_rank", "mean_average_precision")


@dataclasses.dataclass(frozen=True)
class Config:
    """A contrastive loss; pairs of a batch that match each other are no negatives."""

    name: Literal["retrieve"] = "retrieve"  # task
    embedding_dim: int = 1024  # size of the embeddings
    loss: Literal["info_nce", "triplet"] = "info_nce"  # over all pairs of the batch, or over impostors
    label_smoothing: float = 0.0  # info_nce: part of the target spread over all candidates
    margin: float = 0.2  # triplet: by which a match is to be more similar than an impostor
    # triplet: a random impostor of the batch, the most similar one that is less similar than the match, or both
    impostors: Literal["both", "semi_hard", "sampled"] = "both"

    def __post_init__(self) -> None:
        if not 2 <= self.embedding_dim <= 65_536:
            raise ValueError(f"task.embedding_dim must be from 2 to 65,536. Received: {self.embedding_dim}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"task.label_smoothing must be at least 0 and below 1. Received: {self.label_smoothing}")
        if not 0 < self.margin <= 2:
            raise ValueError(f"task.margin must be above 0 and at most 2. Received: {self.margin}")


class Retrieval(Task):
    """Retrieval in both directions; targets are groups `(batch,)`, of which the pairs match each other.

    Labels are the names of the groups where these are classes, and otherwise empty.
    """

    name = "retrieve"
    config_type = Config
    default_model = "dual_encoder"
    served_output = "image_embedding"
    label_kind = "pairs"
    output_kind = "pair"
    answers_pairs = True
    bulky_scores = ("predictions",)

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, list(labels))
        self.num_outputs = config.embedding_dim
        self.monitors = {"loss": "min", "batch_recall": "max"}

    @classmethod
    def find_labels(cls, config: Config, corpus: Corpus) -> list[str]:
        """The names of the classes, if there are any; UserError where the corpus has no pairs."""
        if corpus.inputs != ("image", "audio"):
            raise UserError(
                f"{corpus.name} has no pairs of pictures and clips, which task.name {cls.name} needs: set another"
                " --task.name."
            )
        return list(corpus.class_names)

    @classmethod
    def score_names(cls, config: Config) -> tuple[str, ...]:
        """Means of both directions."""
        return SCORES

    def describe(self) -> str:
        """The size of the embeddings."""
        return f"embeddings of {self.num_outputs:,} numbers"

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """Few negatives in a batch; UserError without any."""
        size, negatives = _compared(recognizer), self._negatives(recognizer, corpus.splits["train"])
        if negatives == 0:
            raise UserError(
                f"Training compares each pair with those of a batch that do not match it, and in batches of {size} of"
                f" {corpus.name} there are none: raise fit.batch_size, lower fit.accumulate_steps,"
                " or add pairs of other groups."
            )
        if negatives >= FEW_NEGATIVES:
            return []
        return [
            f"In a batch of {size} a pair has {negatives:.1f} others on average that do not match it: raise"
            " fit.batch_size, or lower fit.accumulate_steps."
        ]

    def findings(self, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
        """A training split without negatives."""
        if name != "train" or self._negatives(recognizer, split) > 0:
            return []
        what = "pairs have no others in a batch that do not match them, with which training compares them"
        return [Finding(name, what, split.size, split.size, tuple(source_names(split)[:1]), True)]

    def _negatives(self, recognizer: Recognizer, split: Split) -> float:
        """The mean number of pairs in a batch that do not match a pair."""
        labels = split.read_labels()
        shares = np.unique(labels, return_counts=True)[1] / len(labels)
        return float((min(_compared(recognizer), split.size) - 1) * (1 - (shares**2).sum()))

    # Training

    def inference_network(self, network: keras.Model) -> keras.Model:
        """The network without the similarities of a batch, which only the loss of training reads."""
        if "similarity" not in network.output:
            return network
        outputs = {name: value for name, value in network.output.items() if name != "similarity"}
        return keras.Model(network.input, outputs, name=network.name)

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """The mean over a batch, and over both directions, of the contrastive loss of the config."""
        if "similarity" in outputs:
            similarities = ops.cast(outputs["similarity"], "float32")
        else:
            image, audio = (ops.cast(outputs[name], "float32") for name in ("image", "audio"))
            similarities = ops.matmul(image, ops.transpose(audio))
        matching = ops.equal(targets[:, None], targets[None, :])
        if self.config.loss == "triplet":
            both = (self._triplet(matrix, matching) for matrix in (similarities, ops.transpose(similarities)))
        else:
            scaled = similarities * ops.exp(outputs["log_scale"][0])
            both = (self._info_nce(matrix, matching) for matrix in (scaled, ops.transpose(scaled)))
        losses = sum(both) / 2
        return ops.mean(losses if weights is None else losses * ops.cast(weights, losses.dtype))

    def _info_nce(self, logits: Any, matching: Any) -> Any:
        """Cross-entropies `(batch,)` of each row's own column (van den Oord et al. 2018, arXiv:1807.03748)."""
        own = ops.eye(ops.shape(logits)[0], dtype="bool")
        is_candidate = ops.logical_or(own, ops.logical_not(matching))
        log_shares = ops.log_softmax(ops.where(is_candidate, logits, -1e9), axis=-1)
        smoothing = self.config.label_smoothing
        losses = -ops.sum(ops.where(own, log_shares, 0.0), axis=-1)
        if not smoothing:
            return losses
        counts = ops.sum(ops.cast(is_candidate, "float32"), axis=-1)
        mean = -ops.sum(ops.where(is_candidate, log_shares, 0.0), axis=-1) / counts
        return (1 - smoothing) * losses + smoothing * mean

    def _triplet(self, similarities: Any, matching: Any) -> Any:
        """Hinge losses `(batch,)` of impostors, by which each row's own column is to be more similar.

        The sampled impostor of a row is the next column of another group: batches are shuffled (Harwath et al. 2018,
        arXiv:1804.01452). The semi-hard one is the most similar of those that are less similar than the match (Schroff
        et al. 2015, arXiv:1503.03832; Harwath et al. 2020, arXiv:1911.09602).
        """
        size = ops.shape(similarities)[0]
        own = ops.diagonal(similarities)[:, None]
        losses = ops.zeros_like(own[:, 0])
        if self.config.impostors != "semi_hard":
            distance = ops.mod(ops.arange(size)[None, :] - ops.arange(size)[:, None], size)
            nearest = ops.argmin(ops.where(matching, size, distance), axis=-1)
            sampled = ops.take_along_axis(similarities, nearest[:, None], axis=-1)
            has_any = ops.logical_not(ops.all(matching, axis=-1))
            losses += ops.where(has_any, ops.relu(self.config.margin + sampled - own)[:, 0], 0.0)
        if self.config.impostors != "sampled":
            is_softer = ops.logical_and(ops.logical_not(matching), similarities < own)
            semi_hard = ops.max(ops.where(is_softer, similarities, -1e9), axis=-1, keepdims=True)
            losses += ops.relu(self.config.margin + semi_hard - own)[:, 0]
        return losses

    def metrics(self) -> list[keras.Metric]:
        """Recall at 1 among the pairs of a batch, mean of both directions."""
        return [keras.metrics.Mean(name="batch_recall")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds whether the most similar of a batch matches, of each picture and of each clip."""
        similarities = ops.matmul(outputs["image"], ops.transpose(outputs["audio"]))
        for axis in (0, 1):
            nearest = ops.take(targets, ops.argmax(similarities, axis=axis))
            metrics[0].update_state(ops.cast(ops.equal(nearest, targets), "float32"))

    # Answers

    def export_outputs(self, outputs: Any, export: ExportConfig) -> dict[str, tf.Tensor]:
        """Embeddings -> {"image_embedding", "audio_embedding": (batch, units), "score": (batch,), their similarity}."""
        image, audio = (tf.cast(outputs[name], tf.float32) for name in ("image", "audio"))
        score = tf.reduce_sum(image * audio, axis=-1)
        return {"image_embedding": image, "audio_embedding": audio, "score": score}

    @classmethod
    def read_answers(cls, outputs: Mapping[str, np.ndarray], labels: Any) -> list[Embedding] | list[Similarity]:
        """An Embedding for each row of the one kind that there is, or where there are both, their Similarity."""
        if "score" in outputs:
            return [Similarity(float(score)) for score in outputs["score"]]
        (name,) = (name for name in outputs if name.endswith("_embedding"))
        return [Embedding(name.removesuffix("_embedding"), row) for row in outputs[name]]

    def embedders(self, network: keras.Model) -> dict[str | None, keras.Model]:
        """The parts of the network, whose outputs are named as those of the export."""
        result: dict[str | None, keras.Model] = {}
        for name in ("image", "audio"):
            part = architectures.part_encoder(network, name)
            result[name] = keras.Model(part.input, {f"{name}_embedding": part.output[name]}, name=part.name)
        return result

    def further_signatures(self) -> dict[str, Callable[[Any], dict[str, tf.Tensor]]]:
        """`score`: only the similarity of a picture and a clip."""
        return {"score": lambda outputs: {"score": tf.reduce_sum(outputs["image"] * outputs["audio"], axis=-1)}}

    def description(self, recognizer: Recognizer) -> dict[str, Any]:
        """The size of the embeddings."""
        return {"embedding_dim": self.num_outputs}

    def predictor(self, recognizer: Recognizer, **options: Any) -> Callable[[Any], Answer]:
        """A function from a picture or a clip to its Embedding, and from both to their Similarity.

        Raises:
            UserError: for options.
        """
        self.require_no_options(options)
        encoders = {
            name: recognizer.replace(inference_network=architectures.part_encoder(recognizer.inference_network, name))
            for name in ("image", "audio")
        }

        def answer(raw: Mapping[str, np.ndarray]) -> Answer:
            vectors = {
                kind: encoders[kind](recognizer.batch_of_one({kind: raw[kind]}))[kind].numpy()[0] for kind in raw
            }
            if len(vectors) == 2:
                return Similarity(float(vectors["image"] @ vectors["audio"]))
            return Embedding(*vectors.popitem())

        return answer

    @classmethod
    def export_predictor(cls, exported: ExportedRecognizer, **options: Any) -> Callable[[Any], Answer]:
        """The function of `predictor` by an export; UserError for options."""
        require_no_options(exported, options)

        def answer(raw: Mapping[str, np.ndarray]) -> Answer:
            signature = "score" if len(raw) == 2 else f"embed_{next(iter(raw))}_tensor"
            outputs = exported.answers(exported.batch_of_one(raw), signature=signature)
            return cls.read_answers(outputs, None)[0]

        return answer

    # Scores

    def evaluate(self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None) -> dict[str, Any]:
        """Scores of both directions, see `retrieval.retrieval_scores`, their means, and "predictions".

        Every picture and every clip of the split is a candidate once, however many pairs have it.
        """
        self.require_no_decoding(decode)
        found = self._embed(recognizer, split, batch_size)
        scores: dict[str, Any] = {}
        rows = []
        for direction, (of, among) in DIRECTIONS.items():
            queries, candidates = found[of], found[among]
            arrays = queries.vectors, candidates.vectors, queries.groups, candidates.groups
            scores[direction] = retrieval.retrieval_scores(*arrays)
            rows += _nearest(direction, queries, candidates)
        means = {name: float(np.mean([scores[each][name] for each in DIRECTIONS])) for name in SCORES}
        return {**means, **scores, "examples": split.size, "predictions": rows}

    def _embed(self, recognizer: Recognizer, split: Split, batch_size: int) -> dict[str, _Items]:
        """The pictures and the clips of a split, each once."""
        outputs, groups = recognizer.outputs(split, batch_size)
        names = {"image": split.image_sources, "audio": split.audio_sources}
        return {name: _Items.unique(outputs[name], groups, names[name] or source_names(split)) for name in names}

    def per_example(
        self, recognizer: Recognizer, split: Split, batch_size: int, name: str | None = None
    ) -> PerExampleScores:
        """One of `score_names` of each pair: the mean of its picture and its clip as a query.

        A picture or a clip of several pairs counts for each, other than in `evaluate`.
        """
        name = name or SCORES[0]
        found = self._embed(recognizer, split, batch_size)
        values = np.zeros(split.size)
        for of, among in DIRECTIONS.values():
            queries, candidates = found[of], found[among]
            arrays = queries.vectors, candidates.vectors, queries.groups, candidates.groups
            values += retrieval.query_scores(*arrays)[name][queries.places] / len(DIRECTIONS)
        return PerExampleScores(name, values, np.ones(split.size, int))

    def report(self, scores: Mapping[str, Any], title: str) -> Table:
        """A row for each score with its 95 % interval, a column for each direction."""
        table = Table(title=title)
        table.add_column("query to candidates")
        for of, among in DIRECTIONS.values():
            table.add_column(f"{of} to {among}", justify="right")
        columns = [scores[direction] for direction in DIRECTIONS]
        for name in (*SCORES[:3], "median_rank", *SCORES[3:]):
            cells = []
            for column in columns:
                values = (column[name], *column[f"{name}_interval"])
                form = ".2%" if name.startswith("recall") else "g" if name == "median_rank" else ".4f"
                cells.append("{} ({} to {})".format(*(f"{value:{form}}" for value in values)))
            table.add_row(name.replace("_", " "), *cells)
        table.add_section()
        for name in ("queries", "candidates"):
            table.add_row(name, *(f"{column[name]:,}" for column in columns))
        return table

    def plot(self, scores: Mapping[str, Any], folder: pathlib.Path) -> None:
        """Draws nothing."""


@dataclasses.dataclass(frozen=True)
class _Items:
    """The pictures or the clips of a split, each once."""

    names: list[str]
    vectors: np.ndarray  # (items, units)
    groups: np.ndarray  # (items,)
    places: np.ndarray  # (pairs,), each pair's item

    @classmethod
    def unique(cls, vectors: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> _Items:
        """The items of pairs by their names."""
        _, first, places = np.unique(np.asarray(names), return_index=True, return_inverse=True)
        return cls([names[i] for i in first], vectors[first], groups[first].astype("int64"), places)


def _nearest(direction: str, queries: _Items, candidates: _Items) -> list[dict[str, Any]]:
    """The candidate that is most similar to each query."""
    found = zip(*retrieval.nearest(queries.vectors, candidates.vectors), strict=True)
    return [
        {
            "direction": direction,
            "path": name,
            "answer": candidates.names[best],
            "similarity": float(similarity),
            "matches": bool(candidates.groups[best] == group),
        }
        for name, group, (best, similarity) in zip(queries.names, queries.groups, found, strict=True)
    ]


def _compared(recognizer: Recognizer) -> int:
    """Number of pairs that the loss compares with each other: those of a part of a batch."""
    fit = recognizer.config.fit
    return max(1, fit.batch_size // fit.accumulate_steps)
