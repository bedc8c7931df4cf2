"""SimCLR: two views of an example are to be similar, and unlike those of all others (arXiv:2002.05709)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
from keras import layers, ops

from pipelines import frontends
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.tasks.pretraining import Pretraining, collapse_warnings, spread, unit

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer


@dataclasses.dataclass(frozen=True)
class Config:
    """NT-Xent over two views of each example of a batch, by the frontend's augmentation; no labels."""

    name: Literal["simclr"] = "simclr"  # task
    temperature: float = 0.5  # by which cosine similarities are divided; 0.5 in the paper on CIFAR-10
    projection: int = 128  # units of the projection, in which views are compared
    hidden: int = 256  # units of the layer before it

    def __post_init__(self) -> None:
        if not 0 < self.temperature <= 100:
            raise ValueError(f"task.temperature must be above 0 and at most 100. Received: {self.temperature}")
        for name in ("projection", "hidden"):
            if not 2 <= getattr(self, name) <= 65_536:
                raise ValueError(f"task.{name} must be from 2 to 65,536. Received: {getattr(self, name)}")


class SimCLR(Pretraining):
    """Contrastive learning of two views; outputs are projections, those of all first views before all second ones."""

    name = "simclr"
    config_type = Config
    augments_validation = True

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, labels)
        self.num_outputs = config.projection
        self.monitors = {"loss": "min", "view_accuracy": "max"}

    def build_network(self, config: Any, frontend: Any) -> keras.Model:
        """The architecture without its head, and a projection head with one hidden layer (section 2.1)."""
        net = super().build_network(config, frontend)
        features = architectures.feature_extractor(net)
        x = layers.Dense(self.config.hidden, use_bias=False, name="projection_hidden")(features.output)
        x = layers.BatchNormalization(name="projection_norm")(x)
        x = layers.Activation("relu", name="projection_relu")(x)
        x = layers.Dense(self.num_outputs, dtype="float32", name="projection")(x)
        return keras.Model(features.input, x, name=net.name)

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """Sentences on the training; UserError where both views would be equal, or where there are no others."""
        config = recognizer.config
        sentences = super().check_training(recognizer, corpus)
        if config.frontend.placement == "host":
            raise UserError(
                f"frontend.placement host makes one view of each example, and task.name {self.name} compares two: set"
                " frontend.placement device."
            )
        if not frontends.build(config.frontend, augment=True, seed=0).is_augmented:
            raise UserError(
                f"task.name {self.name} compares two views of each example, and without augmentation they are equal:"
                " set augmentation of frontend, such as frontend.min_area and frontend.brightness of pictures, or"
                " frontend.time_masks and frontend.gain_db of clips."
            )
        if min(config.fit.batch_size, corpus.splits["train"].size) < 2:
            raise UserError("Views are compared with those of other examples of a batch: raise fit.batch_size above 1.")
        return sentences

    # Training

    def training_inputs(self, inputs: Any, targets: Any) -> Any:
        """Each example of the batch twice; the frontend augments the two independently."""
        return keras.tree.map_structure(lambda part: ops.concatenate([part, part], axis=0), inputs)

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """NT-Xent in nats, the mean over all views (equation 1)."""
        similarities = _similarities(outputs) / self.config.temperature
        own = ops.eye(ops.shape(outputs)[0])
        logits = similarities - own * 1e9
        return ops.mean(ops.logsumexp(logits, axis=-1) - ops.sum(_pairs(outputs) * similarities, axis=-1))

    def metrics(self) -> list[keras.Metric]:
        """How often the most similar view is that of the same example, and the spread of the projections."""
        return [keras.metrics.Mean(name="view_accuracy"), keras.metrics.Mean(name="embedding_std")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds a batch to the metrics of `metrics`."""
        best = ops.argmax(_similarities(outputs) - 2e9 * ops.eye(ops.shape(outputs)[0]), axis=-1)
        metrics[0].update_state(ops.take_along_axis(_pairs(outputs), best[:, None], axis=1))
        metrics[1].update_state(spread(outputs))

    def epoch_warnings(self, logs: Mapping[str, float]) -> list[str]:
        """A sentence where the projections of all examples have become about the same."""
        return collapse_warnings(
            logs, "projections", "lower fit.learning_rate, raise fit.batch_size, or weaken the augmentation"
        )


def _similarities(outputs: Any) -> Any:
    """Cosine similarities of all views (views, views)."""
    vectors = unit(outputs)
    return ops.matmul(vectors, ops.transpose(vectors))


def _pairs(outputs: Any) -> Any:
    """1 where two views are those of one example, float32 (views, views)."""
    size = ops.shape(outputs)[0]
    return ops.roll(ops.eye(size), size // 2, axis=0)
