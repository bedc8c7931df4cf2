"""The learned targets of wav2vec 2.0: a product of codebooks, chosen by a Gumbel softmax (arXiv:2006.11477)."""

from typing import Any

import keras
from keras import initializers, layers, ops, random

from pipelines.layers import sequences
from tfrec.architectures.config import check
from tfrec.architectures.layers.random_quantizer import standardized_steps
from tfrec.architectures.types import Shape, Tensor

TINY = 1e-7


@keras.saving.register_keras_serializable("tfrec")
class TargetSteps(layers.Layer):
    """The frames of each step, standardized over their clip: what is quantized.

    (batch, frames, bins) and frame counts (batch,) -> (batch, steps, step * bins).

    Args:
        step: frames per step of the network.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, step: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.step = step

    def call(self, x: Tensor, frames: Tensor) -> Tensor:
        """Standardizes and stacks."""
        return standardized_steps(x, sequences.sequence_mask(frames, ops.shape(x)[1]), self.step)

    def compute_output_shape(self, x_shape: Shape, frames_shape: Shape) -> Shape:
        """(batch, steps, step * bins)."""
        batch, frames, bins = x_shape
        return (batch, None if frames is None else -(-frames // self.step), self.step * (bins or 0))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**layer, "step": self.step}


@keras.saving.register_keras_serializable("tfrec")
class GumbelQuantizer(layers.Layer):
    """One entry of each of several codebooks for each step, as vectors one after another (section 2).

    (batch, steps, n) -> {"vectors": (batch, steps, groups * size), "codes": int32 (batch, steps, groups),
    "probabilities": (batch, steps, groups, entries)}. In training the choice is random, by a Gumbel softmax whose
    gradient passes through; otherwise it is the most probable one.

    Args:
        groups: number of codebooks.
        entries: of each.
        size: units of an entry.
        temperature: of the Gumbel softmax; constant, where the paper lowers it from 2 to 0.5.
        seed: of the choices.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for sizes or a temperature that are not positive.
    """

    def __init__(
        self, groups: int, entries: int, size: int, temperature: float = 1.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        sizes = (groups, entries, size, temperature)
        check(min(sizes) > 0, "GumbelQuantizer's sizes and temperature must be positive", sizes)
        self.groups, self.entries, self.size, self.temperature, self.seed = groups, entries, size, temperature, seed
        self.seed_generator = random.SeedGenerator(seed)

    def build(self, x_shape: Shape) -> None:
        """Creates the weights."""
        self.kernel = self.add_weight(
            shape=(x_shape[-1], self.groups * self.entries), initializer="glorot_uniform", name="kernel"
        )
        start = initializers.RandomUniform(0.0, 1.0)
        self.codebook = self.add_weight(
            shape=(self.groups, self.entries, self.size), initializer=start, name="codebook"
        )

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Chooses an entry of each codebook."""
        batch, steps = ops.shape(x)[:2]
        logits = ops.reshape(ops.matmul(x, self.kernel), (batch, steps, self.groups, self.entries))
        scores = logits
        if training:
            uniform = random.uniform(ops.shape(logits), TINY, 1.0 - TINY, seed=self.seed_generator)
            scores = (logits - ops.log(-ops.log(uniform))) / self.temperature
        codes = ops.cast(ops.argmax(scores, axis=-1), "int32")
        chosen, soft = ops.one_hot(codes, self.entries, dtype="float32"), ops.softmax(scores, axis=-1)
        chosen = chosen + soft - ops.stop_gradient(soft)
        vectors = ops.reshape(
            ops.einsum("bsge,geu->bsgu", chosen, self.codebook), (batch, steps, self.groups * self.size)
        )
        return {"vectors": vectors, "codes": codes, "probabilities": ops.softmax(logits, axis=-1)}

    def compute_output_spec(self, x: Any, training: bool | None = None) -> dict[str, Any]:
        """Shapes of what `call` returns."""
        shape = tuple(x.shape[:2])
        return {
            "vectors": keras.KerasTensor((*shape, self.groups * self.size)),
            "codes": keras.KerasTensor((*shape, self.groups), "int32"),
            "probabilities": keras.KerasTensor((*shape, self.groups, self.entries)),
        }

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        names = ("groups", "entries", "size", "temperature", "seed")
        return {**layer, **{name: getattr(self, name) for name in names}}
