"""Autoregressive predictive coding: frames yet to come from those so far (APC, arXiv:1904.03240)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec.architectures.layers.future_frames import FutureFrames
from tfrec.architectures.layers.masking import FrameMask
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.tasks.frame_pretraining import FramePretraining
from tfrec.tasks.pretraining import Explained, collapse_warnings, idle, spread

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

PROBED_STEPS = 16  # of a clip by which a network's look-ahead is measured


@dataclasses.dataclass(frozen=True)
class Config:
    """Absolute distance of predicted frames from those that follow; no labels."""

    name: Literal["predictive_coding"] = "predictive_coding"  # task
    ahead: int = 3  # steps of the network from the last that it has read to the one that it predicts

    def __post_init__(self) -> None:
        if not 1 <= self.ahead <= 1000:
            raise ValueError(f"task.ahead must be from 1 to 1,000. Received: {self.ahead}")


class PredictiveCoding(FramePretraining):
    """Outputs are {"frames": (batch, steps, values), "steps": (batch,), "embedding": (batch, units)}.

    A step of several frames predicts as many. The network must not see later frames.
    """

    name = "predictive_coding"
    config_type = Config
    default_model = "lstm"
    num_outputs = 1  # of a head that is dropped

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, labels)
        self.monitors = {"loss": "min", "explained": "max"}

    def step_outputs(self, net: keras.Model, states: Any, steps: Any) -> dict[str, Any]:
        """Frames by one linear layer, as in the paper, and the mean of the states."""
        values = self.frames_per_step(states, net) * net.input["features"].shape[-1]
        mask = FrameMask(name="predicted_mask")(states, steps)
        return {
            "frames": layers.Dense(values, dtype="float32", name="predicted")(states),
            "embedding": MaskedMean(name="predicted_mean")(states, mask),
        }

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """As `FramePretraining`; UserError where the network sees what it is to predict."""
        if self._sees_later_frames(recognizer):
            raise UserError(
                f"task.name {self.name} predicts later frames, which model.name {recognizer.config.model.name} as"
                " configured sees: choose a network in one direction, such as lstm, gru, lstm_ctc or gru_ctc."
            )
        return super().check_training(recognizer, corpus)

    def _sees_later_frames(self, recognizer: Recognizer) -> bool:
        """Whether steps depend on later frames: NaN spread to every step that depends on them."""
        step = self.frames_per_step(recognizer.network.output["frames"], recognizer.network)
        features = np.zeros((1, PROBED_STEPS * step, recognizer.feature_size), "float32")
        features[:, PROBED_STEPS // 2 * step :] = np.nan
        given = {"features": features, "frames": np.array([PROBED_STEPS * step], "int32")}
        with tf.device("CPU:0"):  # a GPU's convolutions may mix what does not belong together
            frames = recognizer.network(given, training=False)["frames"]
        return bool(np.isnan(ops.convert_to_numpy(frames)[:, : PROBED_STEPS // 2]).any())

    # Training

    def pretext(self, recognizer: Recognizer) -> FutureFrames:
        """The layer that computes the targets."""
        network = recognizer.network
        return FutureFrames(self.frames_per_step(network.output["frames"], network), self.config.ahead)

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """Absolute distance of the values of all frames that follow in the batch, their mean."""
        errors, inside = self._errors(outputs["frames"], targets), targets["inside"]
        return ops.sum(errors * inside) / ops.maximum(ops.sum(inside), 1.0) + idle(outputs)

    def _errors(self, frames: Any, targets: Any) -> Any:
        """Mean distance of the values of each frame, float32 (batch, steps, frames of a step)."""
        inside = targets["inside"]
        distance = ops.abs(ops.cast(frames, "float32") - targets["frames"])
        bins = distance.shape[-1] // inside.shape[-1]
        return ops.mean(ops.reshape(distance, (*ops.shape(inside), bins)), axis=-1)

    def metrics(self) -> list[keras.Metric]:
        """How much better than a clip's mean frame answers are, and the spread of the features."""
        return [Explained(), keras.metrics.Mean(name="embedding_std")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds a batch to the metrics of `metrics`."""
        inside = targets["inside"]
        size, bins = inside.shape[-1], targets["frames"].shape[-1] // inside.shape[-1]
        each = ops.reshape(targets["frames"], (*ops.shape(inside), bins))
        count = ops.maximum(ops.sum(inside, axis=(1, 2)), 1.0)
        mean = ops.sum(each * inside[..., None], axis=(1, 2)) / count[:, None]  # (batch, bins)
        constant = self._errors(ops.tile(mean[:, None], (1, 1, size)), targets)
        metrics[0].update_state(self._errors(outputs["frames"], targets), constant, inside)
        metrics[1].update_state(spread(outputs["embedding"]))

    def epoch_warnings(self, logs: Mapping[str, float]) -> list[str]:
        """A sentence where the features of all clips have become about the same."""
        return collapse_warnings(logs, "features", "lower fit.learning_rate, or train for more epochs")
