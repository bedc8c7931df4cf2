"""BEST-RQ: the codes of masked frames from those around them; the quantizer is random (arXiv:2202.01855)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from keras import layers, ops

from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec.architectures.layers.ctc_head import CountSteps
from tfrec.architectures.layers.random_quantizer import RandomQuantizer
from tfrec.architectures.submodels import token_extractor
from tfrec.tasks.pretraining import Pretraining

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


class BestRQ(Pretraining):
    """Masked prediction of codes; outputs are {"logits": (batch, steps, codes), "steps": (batch,), ...}.

    It takes networks of the kind "sequence" without their decoder, and those of the kind "vector" up to their pooling.
    """

    name = "best_rq"
    config_type = Config
    default_model = "conformer_ctc"
    output_kind = "any"

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, labels)
        self.num_outputs = config.codes
        self.monitors = {"loss": "min", "code_accuracy": "max"}

    @classmethod
    def find_labels(cls, config: Config, corpus: Corpus) -> list[str]:
        """The names of the classes, if there are any; UserError for anything but clips."""
        if corpus.inputs != ("audio",):
            raise UserError(
                f"{corpus.name} has no clips alone, which task.name {cls.name} needs: set another --task.name."
            )
        return super().find_labels(config, corpus)

    def build_network(self, config: Any, frontend: Any) -> keras.Model:
        """The encoder with logits of the codes at each step; UserError for a network without steps."""
        if frontend.feature_kind != "sequence":
            raise UserError(
                f"task.name {self.name} masks frames, and model.name {config.name!r} gets {frontend.feature_kind}"
                " features: choose a network over frames, such as conformer_ctc."
            )
        net = super().build_network(config, frontend)
        if isinstance(net.output, dict):
            outputs = {name: net.output[name] for name in ("logits", "steps")}
            inputs = {name: tensor for name, tensor in net.input.items() if name != "tokens"}
            return keras.Model(inputs, outputs, name=net.name)
        try:
            tokens = token_extractor(net)
        except ValueError as error:
            raise UserError(f"task.name {self.name} needs a network with steps over time: {error}") from error
        outputs = {
            "logits": layers.Dense(self.num_outputs, dtype="float32", name="codes")(tokens.output["tokens"]),
            "steps": CountSteps(name="steps")(tokens.output["mask"]),
            "embedding": net.get_layer("embedding").output,
        }
        return keras.Model(net.input, outputs, name=net.name)

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """A sentence where the frontend hides what is to be predicted; UserError as for every task without labels."""
        frontend, sentences = recognizer.config.frontend, super().check_training(recognizer, corpus)
        self._frames_per_step(recognizer)
        if frontend.time_masks or frontend.frequency_masks:
            sentences.append(
                "The masks of the frontend hide features before their codes are computed: leave out"
                " frontend.time_masks and frontend.frequency_masks."
            )
        return sentences

    # Training

    def pretext(self, recognizer: Recognizer) -> RandomQuantizer:
        """The layer that masks features and computes the codes; its seed is that of the run."""
        config, frontend = recognizer.config, recognizer.frontend
        return RandomQuantizer(
            frontend.feature_shape[-1],
            step=self._frames_per_step(recognizer),
            codes=self.config.codes,
            size=self.config.code_dim,
            probability=self.config.mask_probability,
            span=max(1, round(self.config.mask_ms / 1000 * frontend.steps_per_second)),
            seed=config.seed,
        )

    def _frames_per_step(self, recognizer: Recognizer) -> int:
        """The frames of a step of the network; UserError where steps have no number of frames of their own."""
        counts = {}
        for frames in (61, 64):
            features = np.zeros((1, frames, recognizer.frontend.feature_shape[-1]), "float32")
            counts[frames] = recognizer.network({"features": features, "frames": np.array([frames])})["logits"].shape[1]
        step = max(1, round(64 / counts[64]))
        if any(count != -(-frames // step) for frames, count in counts.items()):
            name = recognizer.config.model.name
            raise UserError(
                f"task.name {self.name} needs a network whose steps have equally many frames: {name!r} has not."
            )
        return step

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """Cross-entropy of the codes in nats, the mean over the masked steps of the batch."""
        logits = ops.cast(outputs["logits"], "float32")
        losses = ops.logsumexp(logits, axis=-1) - _at(logits, targets["codes"])
        return ops.sum(losses * targets["hidden"]) / ops.maximum(ops.sum(targets["hidden"]), 1.0)

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
