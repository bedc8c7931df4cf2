"""Spans of masked frames, from which networks for speech learn without labels."""

from typing import Any

import keras
from keras import layers, ops, random

from pipelines.layers import sequences
from tfrec.architectures.layers.masking import stack_frames
from tfrec.architectures.types import Tensor

NOISE = 0.1  # standard deviation of what replaces masked frames


@keras.saving.register_keras_serializable("tfrec")
class SpanMask(layers.Layer):
    """Replaces spans of frames by noise, as in BEST-RQ (arXiv:2202.01855, section 3.1).

    {"features": (batch, frames, bins), "frames": (batch,)} -> the same with masked features, and with "clean" those
    before; and {"hidden": float32 (batch, steps)}, 1 for the steps of a clip all of whose frames are masked, else 0.

    Args:
        step: frames per step of the network.
        probability: that a span begins at a frame; each clip has at least one.
        span: frames of a span.
        seed: of the spans.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, step: int = 4, probability: float = 0.01, span: int = 40, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**{"name": "span_mask", **kwargs, "dtype": "float32"})
        self.arguments = {"step": step, "probability": probability, "span": span, "seed": seed}
        self.step, self.probability, self.span = step, probability, span
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Chooses other spans at each call."""
        masked, hidden, _ = self.mask(inputs)
        return {**masked, "clean": inputs["features"]}, {"hidden": hidden}

    def mask(self, inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The inputs with masked features; "hidden" as `call` returns it; bool (batch, frames), true inside clips."""
        x, frames = inputs["features"], inputs["frames"]
        inside = sequences.sequence_mask(frames, ops.shape(x)[1])
        masked = ops.logical_and(self._spans(x, frames), inside)
        noise = NOISE * random.normal(ops.shape(x), seed=self.seed_generator)
        steps = stack_frames(ops.cast(masked, "float32")[:, :, None], self.step)
        hidden = ops.cast(ops.all(steps > 0, axis=-1), "float32")
        return {**inputs, "features": ops.where(masked[:, :, None], noise, x)}, hidden, inside

    def _spans(self, x: Tensor, frames: Tensor) -> Tensor:
        """Which frames are in a span that begins at a random frame of the clip, bool (batch, frames)."""
        shape = (ops.shape(x)[0], ops.shape(x)[1])
        places = ops.arange(shape[1])[None]
        first = ops.cast(
            random.uniform((shape[0],), seed=self.seed_generator)
            * ops.cast(ops.maximum(frames - self.span + 1, 1), "float32"),
            "int32",
        )
        begins = random.uniform(shape, seed=self.seed_generator) < self.probability
        begins = ops.logical_or(begins, ops.equal(places, first[:, None]))
        total = ops.cumsum(ops.cast(begins, "int32"), axis=1)
        before = ops.pad(total, [[0, 0], [self.span, 0]])[:, : shape[1]]
        return total > before

    def steps_of(self, frames: int | None) -> int | None:
        """The number of steps of a number of frames."""
        return None if frames is None else -(-frames // self.step)

    def compute_output_spec(self, inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Shapes of what `call` returns."""
        batch, frames, _ = inputs["features"].shape
        hidden = keras.KerasTensor((batch, self.steps_of(frames)), "float32")
        return {**inputs, "clean": inputs["features"]}, {"hidden": hidden}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**layer, **self.arguments}
