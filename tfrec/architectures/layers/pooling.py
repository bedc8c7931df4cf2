"""From a sequence to one vector: a mean over a clip's frames, or the final state of a recurrent layer."""

from typing import Any

import keras
from keras import ops

from tfrec.architectures.layers.masking import ExplicitMaskLayer
from tfrec.architectures.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfrec")
class MaskedMean(ExplicitMaskLayer):
    """Mean over a clip's frames: (batch, frames, units) and mask (batch, frames) -> (batch, units)."""

    def call(self, x: Tensor, keep: Tensor) -> Tensor:
        """Sums in float32 and divides by the number of frames."""
        weights = ops.cast(keep, "float32")[:, :, None]
        total = ops.sum(ops.cast(x, "float32") * weights, axis=1)
        return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), x.dtype)


@keras.saving.register_keras_serializable("tfrec")
class AttentionPool(ExplicitMaskLayer):
    """Weighted mean over a clip's frames (Okabe et al. 2018, arXiv:1803.10963): the network learns which frames count.

    (batch, frames, units) and mask (batch, frames) -> (batch, units), or (batch, 2 x units) with the deviations.

    Args:
        statistics: whether the weighted standard deviation follows the mean.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, statistics: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.statistics = statistics

    def build(self, x_shape: Shape, keep_shape: Shape | None = None) -> None:
        """Creates the weights of the score of a frame."""
        self.score = self.add_weight(shape=(x_shape[-1], 1), initializer="glorot_uniform", name="score")

    def call(self, x: Tensor, keep: Tensor) -> Tensor:
        """Computes the weights and the mean in float32; zeros for a clip without frames."""
        x, kept = ops.cast(x, "float32"), ops.cast(keep, "float32")[:, :, None]
        scores = ops.where(kept > 0, ops.matmul(x, ops.cast(self.score, "float32")), -1e9)
        weights = ops.softmax(scores, axis=1) * kept
        mean = ops.sum(weights * x, axis=1)
        if self.statistics:
            variance = ops.sum(weights * ops.square(x - mean[:, None]), axis=1)
            mean = ops.concatenate([mean, ops.sqrt(variance + 1e-6)], axis=-1)
        return ops.cast(mean, self.compute_dtype)

    def compute_output_shape(self, x_shape: Shape, keep_shape: Shape | None = None) -> Shape:
        """(batch, units), or (batch, 2 x units)."""
        units = x_shape[-1]
        return (x_shape[0], 2 * units if self.statistics and units is not None else units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "statistics": self.statistics}


@keras.saving.register_keras_serializable("tfrec")
class FinalState(ExplicitMaskLayer):
    """The state after the last frame: (batch, frames, units) and mask (batch, frames) -> (batch, units).

    Args:
        bidirectional: whether the second half of the units reads each clip backward, so that its final state is at the
            first frame.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, bidirectional: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bidirectional = bidirectional

    def call(self, states: Tensor, keep: Tensor) -> Tensor:
        """Selects the final frame of each clip; zeros for a clip without frames."""
        count = ops.sum(ops.cast(keep, "int32"), axis=1, keepdims=True)
        last = ops.arange(ops.shape(states)[1], dtype="int32")[None, :] == count - 1
        final = ops.sum(ops.where(last[:, :, None], states, ops.zeros((), states.dtype)), axis=1)
        if not self.bidirectional:
            return final
        half = states.shape[-1] // 2
        return ops.concatenate([final[:, :half], states[:, 0, half:]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "bidirectional": self.bidirectional}


def pool_frames(x: Tensor, mask: Tensor, kind: str) -> Tensor:
    """One vector for a clip, as a layer named "embedding".

    Args:
        x: (batch, frames, units).
        mask: bool (batch, frames), true inside the clip.
        kind: "mean", "attention", or "statistics", which is attention with standard deviations.

    Returns:
        (batch, units); (batch, 2 x units) for statistics.
    """
    if kind == "mean":
        return MaskedMean(name="embedding")(x, mask)
    return AttentionPool(kind == "statistics", name="embedding")(x, mask)
