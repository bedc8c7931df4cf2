"""The targets of autoregressive predictive coding (Chung et al. 2019, arXiv:1904.03240): frames yet to come."""

from typing import Any

import keras
from keras import layers, ops

from pipelines.layers import sequences
from tfrec.architectures.config import check
from tfrec.architectures.layers.masking import stack_frames
from tfrec.architectures.types import Tensor


@keras.saving.register_keras_serializable("tfrec")
class FutureFrames(layers.Layer):
    """Returns features as they are, and for each step the frames of the step `ahead` steps later.

    {"features": (batch, frames, bins), "frames": (batch,)} -> the same, and {"frames": (batch, steps, step * bins),
    "inside": float32 (batch, steps, step), 1 for frames of the clip, 0 past its end}.

    Args:
        step: frames per step of the network.
        ahead: steps, 1 or more.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for sizes that are not positive.
    """

    def __init__(self, step: int = 1, ahead: int = 3, **kwargs: Any) -> None:
        super().__init__(**{"name": "future_frames", **kwargs, "dtype": "float32"})
        check(step > 0 and ahead > 0, "FutureFrames' step and ahead must be positive", (step, ahead))
        self.step, self.ahead = step, ahead

    def call(self, inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Shifts the steps; the last ones have none to predict."""
        x = inputs["features"]
        inside = ops.cast(sequences.sequence_mask(inputs["frames"], ops.shape(x)[1]), "float32")
        return inputs, {"frames": self._later(x), "inside": self._later(inside[:, :, None])}

    def _later(self, x: Tensor) -> Tensor:
        steps = stack_frames(x, self.step)
        # The gap may be longer than the clips.
        return ops.pad(steps, [[0, 0], [0, self.ahead], [0, 0]])[:, self.ahead :]

    def compute_output_spec(self, inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Shapes of what `call` returns."""
        batch, frames, bins = inputs["features"].shape
        steps = None if frames is None else -(-frames // self.step)
        targets = {
            "frames": keras.KerasTensor((batch, steps, self.step * bins)),
            "inside": keras.KerasTensor((batch, steps, self.step)),
        }
        return dict(inputs), targets

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**layer, "step": self.step, "ahead": self.ahead}
