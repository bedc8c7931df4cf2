"""BEST-RQ's targets: masked features, and the codes that a random projection and a random codebook give all frames."""

from typing import Any

import keras
import numpy as np
from keras import ops, random

from pipelines.layers import sequences
from tfrec.architectures.layers.masking import stack_frames
from tfrec.architectures.types import Tensor

NOISE = 0.1  # standard deviation of what replaces masked frames
EPSILON = 1e-6


@keras.saving.register_keras_serializable("tfrec")
class RandomQuantizer(keras.layers.Layer):
    """Replaces spans of frames by noise, and returns the codes of the frames before that (arXiv:2202.01855).

    A code is the place of the nearest of `codes` random unit vectors to a random projection, at length 1, of the
    `step` frames of a step, which are standardized over each clip. Neither is trained.

    Args:
        bins: of a frame.
        step: frames per step of the network.
        codes: size of the codebook.
        size: of its vectors.
        probability: that a span begins at a frame; each clip has at least one.
        span: frames of a span.
        seed: of projection and codebook, and of the spans.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(
        self,
        bins: int,
        step: int = 4,
        codes: int = 8192,
        size: int = 16,
        probability: float = 0.01,
        span: int = 40,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"name": "random_quantizer", **kwargs, "dtype": "float32"})
        self.arguments = {
            "bins": bins,
            "step": step,
            "codes": codes,
            "size": size,
            "probability": probability,
            "span": span,
            "seed": seed,
        }
        self.step, self.probability, self.span = step, probability, span
        self.seed_generator = random.SeedGenerator(seed)
        draw = np.random.default_rng(seed)
        limit = (6 / (step * bins + size)) ** 0.5  # Xavier's uniform initialization, as in section 3.1
        projection = draw.uniform(-limit, limit, (step * bins, size))
        codebook = draw.normal(size=(size, codes))
        self.projection = self._frozen("projection", projection)
        self.codebook = self._frozen("codebook", codebook / np.linalg.norm(codebook, axis=0))

    def _frozen(self, name: str, values: np.ndarray) -> Any:
        constant = keras.initializers.Constant(values.astype("float32"))
        return self.add_weight(shape=values.shape, initializer=constant, trainable=False, name=name)

    def call(self, inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Masks features and computes codes.

        Args:
            inputs: "features" (batch, frames, bins) and "frames" (batch,).

        Returns:
            The same with masked features; and {"codes": int32 (batch, steps), "hidden": float32 (batch, steps)}, 1 for
            the steps of a clip all of whose frames are masked, else 0.
        """
        x, frames = inputs["features"], inputs["frames"]
        inside = sequences.sequence_mask(frames, ops.shape(x)[1])
        masked = ops.logical_and(self._spans(x, frames), inside)
        noise = NOISE * random.normal(ops.shape(x), seed=self.seed_generator)
        steps = stack_frames(ops.cast(masked, "float32")[:, :, None], self.step)
        hidden = ops.cast(ops.all(steps > 0, axis=-1), "float32")
        targets = {"codes": self.codes(x, inside), "hidden": hidden}
        return {**inputs, "features": ops.where(masked[:, :, None], noise, x)}, targets

    def codes(self, x: Tensor, inside: Tensor) -> Tensor:
        """Features (batch, frames, bins) and bool (batch, frames), true inside the clip -> int32 (batch, steps)."""
        weights = ops.cast(inside, "float32")[:, :, None]
        count = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
        mean = ops.sum(x * weights, axis=1, keepdims=True) / count
        centered = (x - mean) * weights
        deviation = ops.sqrt(ops.sum(ops.square(centered), axis=1, keepdims=True) / count)
        steps = stack_frames(centered / ops.maximum(deviation, EPSILON), self.step)
        # Of vectors at length 1 the nearest has the largest inner product, whatever the length of the other one.
        return ops.cast(ops.argmax(ops.matmul(ops.matmul(steps, self.projection), self.codebook), axis=-1), "int32")

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

    def compute_output_spec(self, inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Shapes of what `call` returns."""
        batch, frames, _ = inputs["features"].shape
        steps = None if frames is None else -(-frames // self.step)
        targets = {
            "codes": keras.KerasTensor((batch, steps), "int32"),
            "hidden": keras.KerasTensor((batch, steps), "float32"),
        }
        return dict(inputs), targets

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**layer, **self.arguments}
