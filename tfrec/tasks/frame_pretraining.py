"""Learning without labels from the frames of clips: what the tasks share that predict something at each step."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

import keras

from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures.layers.ctc_head import CountSteps
from tfrec.tasks.pretraining import Pretraining

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

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
        inputs = {name: tensor for name, tensor in net.input.items() if name != "tokens"}
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
