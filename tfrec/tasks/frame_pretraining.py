"""Learning without labels from the frames of clips: what the tasks share that predict something at each step."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures.layers.ctc_head import CountSteps
from tfrec.tasks.pretraining import Pretraining

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

FEW_CODES = 4  # effective number of codes, exp(entropy), below which targets have collapsed
PROBED = (61, 64)  # numbers of frames for which steps are counted


class FramePretraining(Pretraining):
    """A task without labels whose targets are made of frames; outputs are {"steps": (batch,), ...}.

    It takes networks of the kind "sequence" without their decoder, and those of the kind "vector" up to their pooling.
    """

    output_kind = "any"

    @classmethod
    def find_labels(cls, config: Any, corpus: Corpus) -> list[str]:
        """The names of the classes, if there are any; UserError for anything but clips."""
        if corpus.inputs != ("audio",):
            raise UserError(
                f"{corpus.name} has no clips alone, which task.name {cls.name} needs: set another --task.name."
            )
        return super().find_labels(config, corpus)

    def build_network(self, config: Any, frontend: Any) -> keras.Model:
        """The encoder with what the task predicts at each step; UserError for a network without steps."""
        if frontend.feature_kind != "sequence":
            raise UserError(
                f"task.name {self.name} learns from frames, and model.name {config.name!r} gets"
                f" {frontend.feature_kind} features: choose a network over frames, such as {self.default_model}."
            )
        net = super().build_network(config, frontend)
        if isinstance(net.output, dict):
            inputs = {name: tensor for name, tensor in net.input.items() if name != "tokens"}
            states, outputs = net.get_layer("embedding").output, {"steps": net.output["steps"]}
        else:
            try:
                tokens = architectures.token_extractor(net)
            except ValueError as error:
                raise UserError(f"task.name {self.name} needs a network with steps over time: {error}") from error
            inputs, states = net.input, tokens.output["tokens"]
            outputs = {
                "steps": CountSteps(name="steps")(tokens.output["mask"]),
                "embedding": net.get_layer("embedding").output,
            }
        predicted = self.step_outputs(net, states, outputs["steps"])
        return keras.Model(inputs, {**predicted, **outputs}, name=net.name)

    @abc.abstractmethod
    def step_outputs(self, net: keras.Model, states: Any, steps: Any) -> dict[str, Any]:
        """What is predicted at each step, as outputs by name.

        Args:
            net: the architecture with its own head.
            states: the input of that head or of the pooling before it, (batch, steps, units).
            steps: the number of true steps of each clip, int32 (batch,).
        """

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """A sentence where the frontend hides what is to be predicted; UserError as for every task without labels."""
        frontend, sentences = recognizer.config.frontend, super().check_training(recognizer, corpus)
        if frontend.time_masks or frontend.frequency_masks:
            sentences.append(
                "The masks of the frontend hide features before they become targets: leave out"
                " frontend.time_masks and frontend.frequency_masks."
            )
        return sentences

    def frames_per_step(self, states: Any, net: keras.Model) -> int:
        """The frames of a step of a network; UserError where steps do not have equally many.

        Args:
            states: an output of the network with its steps, (batch, steps, units).
            net: the network, or one that contains it.
        """
        inputs = {name: net.input[name] for name in ("features", "frames")}
        steps, bins = keras.Model(inputs, states), inputs["features"].shape[-1]
        counts = {}
        for frames in PROBED:
            features = keras.KerasTensor((1, frames, bins), inputs["features"].dtype)
            given = {"features": features, "frames": keras.KerasTensor((1,), "int32")}
            counts[frames] = steps.compute_output_spec(given).shape[1]
        step = max(1, round(PROBED[-1] / counts[PROBED[-1]])) if all(counts.values()) else 0
        if not step or any(count != -(-frames // step) for frames, count in counts.items()):
            raise UserError(
                f"task.name {self.name} needs a network whose steps have equally many frames: {net.name!r} has not."
            )
        return step


def few_codes_warnings(logs: Mapping[str, float], codes: int, remedy: str) -> list[str]:
    """A sentence where almost all frames have the same few of the codes that there are."""
    if logs.get("val_code_entropy", 1.0) * math.log(codes) >= math.log(FEW_CODES):
        return []
    return [
        f"almost all frames have the same codes (effectively fewer than {FEW_CODES}), so that there is nothing to"
        f" learn: {remedy}."
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
