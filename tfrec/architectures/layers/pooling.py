"""From a sequence to one vector: the mean over a clip's frames, or the final state of a recurrent layer."""

from typing import Any

import keras
from keras import ops

from tfrec.architectures.layers.masking import ExplicitMaskLayer
from tfrec.architectures.types import Tensor


@keras.saving.register_keras_serializable("tfrec")
class MaskedMean(ExplicitMaskLayer):
    """Mean over a clip's frames: (batch, frames, units) and mask (batch, frames) -> (batch, units)."""

    def call(self, x: Tensor, keep: Tensor) -> Tensor:
        """Sums in float32 and divides by the number of frames."""
        weights = ops.cast(keep, "float32")[:, :, None]
        total = ops.sum(ops.cast(x, "float32") * weights, axis=1)
        return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), x.dtype)


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
