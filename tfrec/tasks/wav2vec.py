"""wav2vec 2.0: the quantized content of masked steps among that of other ones (arXiv:2006.11477).

On features of frames rather than on samples: the quantizer reads the frames of a step, masked frames are noise, and the
temperature of its Gumbel softmax is constant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
from keras import layers, ops

from tfrec.architectures.layers.gumbel_quantizer import GumbelQuantizer, TargetSteps
from tfrec.architectures.layers.span_mask import SpanMask
from tfrec.tasks.frame_pretraining import Entropy, FramePretraining, few_codes_warnings
from tfrec.tasks.pretraining import idle, unit

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

EXCLUDED = -1e9  # logit of a step that is no distractor


@dataclasses.dataclass(frozen=True)
class Config:
    """Contrastive loss over quantized targets, and a loss for their diversity; no labels."""

    name: Literal["wav2vec"] = "wav2vec"  # task
    groups: int = 2  # codebooks
    entries: int = 64  # of each codebook; 320 in the paper, for 960 hours of speech
    code_dim: int = 64  # units of the quantized vector, shared by the codebooks
    projection: int = 128  # units in which targets and answers are compared
    temperature: float = 0.1  # by which cosine similarities are divided
    gumbel_temperature: float = 1.0  # of the choice of entries
    diversity: float = 0.1  # weight of the loss that all entries are used
    mask_probability: float = 0.01  # probability that a masked span begins at a frame
    mask_ms: float = 400.0  # length of a masked span

    def __post_init__(self) -> None:
        for name, low in (("groups", 1), ("entries", 2), ("code_dim", 1), ("projection", 1)):
            if not low <= getattr(self, name) <= 65_536:
                raise ValueError(f"task.{name} must be from {low} to 65,536. Received: {getattr(self, name)}")
        if self.code_dim % self.groups:
            raise ValueError(
                f"task.code_dim must be a multiple of task.groups, {self.groups}. Received: {self.code_dim}"
            )
        for name in ("temperature", "gumbel_temperature"):
            if not 0 < getattr(self, name) <= 100:
                raise ValueError(f"task.{name} must be above 0 and at most 100. Received: {getattr(self, name)}")
        if not 0 <= self.diversity <= 100:
            raise ValueError(f"task.diversity must be from 0 to 100. Received: {self.diversity}")
        if not 0 <= self.mask_probability < 1:
            raise ValueError(f"task.mask_probability must be at least 0 and below 1. Received: {self.mask_probability}")
        if not 0 < self.mask_ms <= 60_000:
            raise ValueError(f"task.mask_ms must be above 0 and at most 60,000. Received: {self.mask_ms}")


class Wav2Vec(FramePretraining):
    """Outputs are {"context", "targets": (batch, steps, projection), "codes": int32 (batch, steps, groups), ...}.

    Distractors of a masked step are all other masked steps of the clip with other codes, where the paper draws 100.
    """

    name = "wav2vec"
    config_type = Config
    default_model = "conformer_ctc"
    num_outputs = 1  # of a head that is dropped

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, labels)
        self.monitors = {"loss": "min", "contrast_accuracy": "max"}

    def build_network(self, config: Any, frontend: Any) -> keras.Model:
        """The encoder with a further input "clean", the features before the mask, of which targets are made."""
        net = super().build_network(config, frontend)
        clean = keras.Input(net.input["features"].shape[1:], name="clean")
        step = self.frames_per_step(net.output["context"], net)
        steps = TargetSteps(step, name="target_steps")(clean, net.input["frames"])
        settings = self.config
        quantizer = GumbelQuantizer(
            settings.groups,
            settings.entries,
            settings.code_dim // settings.groups,
            settings.gumbel_temperature,
            name="target_codes",
        )
        chosen = quantizer(steps)
        targets = layers.Dense(settings.projection, dtype="float32", name="target_project")(chosen["vectors"])
        outputs = {"targets": targets, "codes": chosen["codes"], "probabilities": chosen["probabilities"]}
        return keras.Model({**net.input, "clean": clean}, {**net.output, **outputs}, name=net.name)

    def step_outputs(self, net: keras.Model, states: Any, steps: Any) -> dict[str, Any]:
        """What is compared with the targets."""
        return {"context": layers.Dense(self.config.projection, dtype="float32", name="context")(states)}

    # Training

    def pretext(self, recognizer: Recognizer) -> SpanMask:
        """The layer that masks spans of frames; its seed is that of the run."""
        config, network = recognizer.config, recognizer.network
        return SpanMask(
            self.frames_per_step(network.output["context"], network),
            self.config.mask_probability,
            max(1, round(self.config.mask_ms / 1000 * recognizer.frontend.steps_per_second)),
            config.seed,
        )

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """Contrastive loss of masked steps in nats, their mean, and the loss of diversity (equations 2 to 4)."""
        logits, counts = self._logits(outputs, targets["hidden"])
        own = ops.diagonal(logits, axis1=1, axis2=2)
        losses = ops.logsumexp(logits, axis=-1) - own
        contrastive = ops.sum(losses * counts) / ops.maximum(ops.sum(counts), 1.0)
        return contrastive + self.config.diversity * self._unused(outputs, targets["hidden"]) + idle(outputs)

    def _logits(self, outputs: Any, hidden: Any) -> tuple[Any, Any]:
        """Similarities of each step with the targets of its clip (batch, steps, steps), and which steps count.

        Those that are no distractors are excluded; a step counts that is masked and has a distractor.
        """
        similar = ops.matmul(unit(outputs["context"]), ops.swapaxes(unit(outputs["targets"]), 1, 2))
        codes = outputs["codes"]
        same = ops.all(ops.equal(codes[:, :, None], codes[:, None]), axis=-1)
        is_distractor = ops.logical_and(hidden[:, None, :] > 0, ops.logical_not(same))
        own = ops.cast(ops.eye(ops.shape(hidden)[1]), "bool")[None]
        logits = ops.where(ops.logical_or(is_distractor, own), similar / self.config.temperature, EXCLUDED)
        return logits, hidden * ops.cast(ops.any(is_distractor, axis=-1), "float32")

    def _unused(self, outputs: Any, hidden: Any) -> Any:
        """The fraction of all entries that masked steps leave unused: 1 - perplexity / entries, over the codebooks."""
        shares = outputs["probabilities"] * hidden[:, :, None, None]
        shares = ops.sum(shares, axis=(0, 1)) / ops.maximum(ops.sum(hidden), 1.0)
        entropy = -ops.sum(shares * ops.log(shares + 1e-7), axis=-1)
        return 1.0 - ops.mean(ops.exp(entropy)) / self.config.entries

    def metrics(self) -> list[keras.Metric]:
        """How often the step's own target is the most similar one, and the entropy of the codes of masked steps."""
        return [
            keras.metrics.Mean("contrast_accuracy"),
            Entropy(self.config.groups * self.config.entries, "code_entropy"),
        ]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds a batch to the metrics of `metrics`."""
        logits, counts = self._logits(outputs, targets["hidden"])
        places = ops.arange(ops.shape(logits)[1], dtype="int32")[None]
        is_own = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), places)
        metrics[0].update_state(ops.cast(is_own, "float32"), sample_weight=counts)
        values = outputs["codes"] + self.config.entries * ops.arange(self.config.groups, dtype="int32")
        hidden = ops.repeat(targets["hidden"][:, :, None], self.config.groups, axis=2)
        metrics[1].update_state(values, sample_weight=hidden)

    def epoch_warnings(self, logs: Mapping[str, float]) -> list[str]:
        """A sentence where almost all steps have the same few codes."""
        remedy = "check the clips for silence, raise task.diversity, or lower fit.learning_rate"
        return few_codes_warnings(logs, self.config.groups * self.config.entries, remedy)
