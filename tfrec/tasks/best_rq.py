"""BEST-RQ: the codes of masked frames from those around them; the quantizer is random (arXiv:2202.01855)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
from keras import layers, ops

from pipelines.datasets.base import Corpus
from tfrec.architectures.layers.random_quantizer import RandomQuantizer
from tfrec.tasks.frame_pretraining import FramePretraining
from tfrec.tasks.pretraining import idle

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

FEW_CODES = 4  # effective number of codes, exp(entropy), below which the targets have collapsed


@dataclasses.dataclass(frozen=True)
class Config:
    """Cross-entropy over the codes of masked steps; no labels."""

    name: Literal["best_rq"] = "best_rq"  # task
    codes: int = 512  # size of the random codebook; 8,192 in the paper, for 60,000 hours of speech
    code_dim: int = 16  # size of its vectors
    mask_probability: float = 0.01  # probability that a masked span begins at a frame
    mask_ms: float = 400.0  # length of a masked span

    def __post_init__(self) -> None:
        for name, low in (("codes", 2), ("code_dim", 1)):
            if not low <= getattr(self, name) <= 65_536:
                raise ValueError(f"task.{name} must be from {low} to 65,536. Received: {getattr(self, name)}")
        if not 0 <= self.mask_probability < 1:
            raise ValueError(f"task.mask_probability must be at least 0 and below 1. Received: {self.mask_probability}")
        if not 0 < self.mask_ms <= 60_000:
            raise ValueError(f"task.mask_ms must be above 0 and at most 60,000. Received: {self.mask_ms}")


class BestRQ(FramePretraining):
    """Masked prediction of codes; outputs are {"logits": (batch, steps, codes), "steps": (batch,), ...}."""

    name = "best_rq"
    config_type = Config
    default_model = "conformer_ctc"

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, labels)
        self.num_outputs = config.codes
        self.monitors = {"loss": "min", "code_accuracy": "max"}

    def step_outputs(self, net: keras.Model, states: Any, steps: Any) -> dict[str, Any]:
        """The logits of the codes: those of the network's own head where it has one at each step."""
        if isinstance(net.output, dict):
            return {"logits": net.output["logits"]}
        return {"logits": layers.Dense(self.num_outputs, dtype="float32", name="codes")(states)}

    # Training

    def pretext(self, recognizer: Recognizer) -> RandomQuantizer:
        """The layer that masks features and computes the codes; its seed is that of the run."""
        config, frontend, network = recognizer.config, recognizer.frontend, recognizer.network
        return RandomQuantizer(
            frontend.feature_shape[-1],
            step=self.frames_per_step(network.output["logits"], network),
            codes=self.config.codes,
            size=self.config.code_dim,
            probability=self.config.mask_probability,
            span=max(1, round(self.config.mask_ms / 1000 * frontend.steps_per_second)),
            seed=config.seed,
        )

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """As `FramePretraining`; UserError where steps do not have equally many frames."""
        self.frames_per_step(recognizer.network.output["logits"], recognizer.network)
        return super().check_training(recognizer, corpus)

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """Cross-entropy of the codes in nats, the mean over the masked steps of the batch."""
        logits = ops.cast(outputs["logits"], "float32")
        losses = ops.logsumexp(logits, axis=-1) - _at(logits, targets["codes"])
        return ops.sum(losses * targets["hidden"]) / ops.maximum(ops.sum(targets["hidden"]), 1.0) + idle(outputs)

    def metrics(self) -> list[keras.Metric]:
        """Accuracy at masked steps; entropy of their codes and of the answers, 1 where all are equally frequent."""
        codes = self.config.codes
        return [keras.metrics.Mean("code_accuracy"), Entropy(codes, "code_entropy"), Entropy(codes, "answer_entropy")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds a batch to the metrics of `metrics`."""
        answers, hidden = ops.cast(ops.argmax(outputs["logits"], axis=-1), "int32"), targets["hidden"]
        metrics[0].update_state(ops.cast(ops.equal(answers, targets["codes"]), "float32"), sample_weight=hidden)
        metrics[1].update_state(targets["codes"], sample_weight=hidden)
        metrics[2].update_state(answers, sample_weight=hidden)

    def epoch_warnings(self, logs: Mapping[str, float]) -> list[str]:
        """A sentence where almost all frames have the same few codes."""
        if logs.get("val_code_entropy", 1.0) * math.log(self.config.codes) >= math.log(FEW_CODES):
            return []
        return [
            f"almost all frames have the same codes (effectively fewer than {FEW_CODES}), so that there is nothing to"
            " learn: check the clips for silence, or set another task.codes or --seed."
        ]


@keras.saving.register_keras_serializable("tfrec")
class Entropy(keras.metrics.Metric):
    """Entropy of what was counted, as a fraction of that of `size` equally frequent values.

    Args:
        size: number of values.
        name: of the metric.
    """

    def __init__(self, size: int, name: str) -> None:
        super().__init__(name=name)
        self.size = size
        self.counts = self.add_variable((size,), initializer="zeros", name="counts")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Counts values, ints of any shape, with weights of the same shape."""
        flat = ops.reshape(values, (-1,))
        weights = ops.ones(ops.shape(flat)) if sample_weight is None else ops.reshape(sample_weight, (-1,))
        self.counts.assign_add(ops.segment_sum(weights, flat, num_segments=self.size))

    def result(self) -> Any:
        """From 0 to 1."""
        shares = self.counts / ops.maximum(ops.sum(self.counts), 1.0)
        return -ops.sum(shares * ops.log(ops.maximum(shares, 1e-12))) / math.log(self.size)


def _at(logits: Any, indices: Any) -> Any:
    """Logits (batch, steps, outputs) at indices (batch, steps)."""
    return ops.take_along_axis(logits, indices[:, :, None], axis=-1)[:, :, 0]
