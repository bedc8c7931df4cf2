"""Distributionally robust optimization over groups (Sagawa et al. 2019, arXiv:1911.08731, algorithm 1).

The loss of a step is the mean of the groups' losses, weighted by q. Each step multiplies the weight of a group by the
exponential of its loss and normalizes, so that the groups with the highest losses decide the gradient.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.datasets import example_columns
from pipelines.datasets.base import Split
from pipelines.errors import UserError

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

SHOWN = 10  # groups in the log

logger = logging.getLogger(__name__)


class GroupLoss(keras.layers.Layer):
    """The loss of a batch that is weighted by groups; the weights are part of a training's state.

    Args:
        names: the groups.
        sizes: number of training examples of each.
        step: how fast the weights follow the losses.
        adjustment: a group of n examples counts as if its loss were higher by `adjustment` / sqrt(n).
    """

    def __init__(self, names: list[str], sizes: np.ndarray, step: float, adjustment: float = 0.0) -> None:
        super().__init__(name="group_loss", dtype="float32")
        self.names, self.step = names, step
        self.offsets = np.asarray(adjustment / np.sqrt(sizes), "float32")
        self.q = self.add_weight(
            shape=(len(names),), initializer=keras.initializers.Constant(1 / len(names)), trainable=False, name="q"
        )

    def call(self, losses: Any, groups: Any) -> Any:
        """Losses (batch,) in nats and groups (batch,) -> the loss; updates the weights of the groups.

        A group without an example in the batch keeps its weight, but for the normalization, and adds nothing.
        """
        members = ops.one_hot(ops.cast(groups, "int32"), len(self.names), dtype="float32")
        counts = ops.sum(members, axis=0)
        means = ops.matmul(ops.cast(losses, "float32"), members) / ops.maximum(counts, 1.0)
        gain = ops.where(counts > 0, ops.stop_gradient(means) + self.offsets, 0.0)
        weights = self.q * ops.exp(self.step * (gain - ops.max(gain)))  # the difference does not overflow
        self.q.assign(weights / ops.sum(weights))
        return ops.sum(self.q * means)

    def weights_by_group(self) -> dict[str, float]:
        """The weight of each group, the highest first."""
        pairs = zip(self.names, ops.convert_to_numpy(self.q).tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))


def build(recognizer: Recognizer, split: Split) -> GroupLoss | None:
    """The loss of a training with group weights; None without.

    Args:
        recognizer: what is trained.
        split: the training split.

    Raises:
        UserError: the data has no such column or only one group, or the training runs on several devices.
    """
    settings = recognizer.task.group_weights
    if settings is None:
        return None
    if recognizer.config.fit.strategy != "default" or recognizer.config.fit.accumulate_steps > 1:
        raise UserError(
            "task.group_weights worst takes whole batches: leave out fit.strategy and fit.accumulate_steps."
        )
    names, sizes = np.unique(example_columns.values(split, settings.group_column), return_counts=True)
    if len(names) < 2:
        raise UserError(
            f"task.group_column {settings.group_column}: all training examples have the value {str(names[0])!r}, so"
            " that there are no groups to weigh: name another column."
        )
    return GroupLoss(names.tolist(), sizes, settings.group_step, settings.group_adjustment)


def attach(groups: GroupLoss, split: Split, column: str) -> Split:
    """The split with (label, number of the group) as each example's label."""
    places: Mapping[str, int] = {name: i for i, name in enumerate(groups.names)}
    numbers = np.array([places[value] for value in example_columns.values(split, column)], np.int32)
    return split.combined(
        tf.data.Dataset.from_tensor_slices(numbers),
        lambda example, number: {**example, "label": (example["label"], number)},
    )


class ReportWeights(keras.callbacks.Callback):
    """Logs the weights of the groups at the end of a training."""

    def __init__(self, groups: GroupLoss) -> None:
        super().__init__()
        self.groups = groups

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Logs the highest weights."""
        shown = list(self.groups.weights_by_group().items())[:SHOWN]
        logger.info("Weights of the groups: %s", ", ".join(f"{name} {weight:.3f}" for name, weight in shown))
