"""Clips of any length as a fixed number of frames."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.sequences import valid_lengths


@keras.saving.register_keras_serializable("pipelines")
class FixedFrames(RandomLayer):
    """Stretches or shrinks each clip in time to `frames` frames by linear interpolation between its own frames.

    The first and the last frame are the clip's own; the padding has no influence. A clip without frames becomes its
    first padding frame, repeated.

    Args:
        frames: Frames of the output, at least 2.
        jitter: With `training=True` each end of a clip moves by up to this fraction of its length, at least 0 and below
            0.5: inwards, which crops the clip, or outwards, which repeats its first or last frame.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `frames` or `jitter` is outside its range.
    """

    def __init__(self, frames: int = 64, jitter: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if frames < 2:
            raise ValueError(f"frames must be at least 2. Received: {frames}")
        if not 0 <= jitter < 0.5:
            raise ValueError(f"jitter must be at least 0 and below 0.5. Received: {jitter}")
        self.frames, self.jitter = frames, jitter

    def call(self, features: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Interpolates clips.

        Args:
            features: `(batch, any, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.
            training: Applies the jitter only if True.

        Returns:
            `(batch, frames, bins)`, float32.
        """
        last = ops.maximum(valid_lengths(features, lengths) - 1, 0)[:, None]
        position = ops.arange(self.frames, dtype="float32")[None, :] / (self.frames - 1)
        if training and self.jitter:
            shape, seed = (ops.shape(features)[0], 1), self.seed_generator
            start, end = (keras.random.uniform(shape, -self.jitter, self.jitter, seed=seed) for _ in range(2))
            position = ops.clip(start + position * (1.0 + end - start), 0.0, 1.0)
        position = position * ops.cast(last, "float32")
        below = ops.minimum(ops.cast(ops.floor(position), "int32"), last)
        fraction = (position - ops.cast(below, "float32"))[:, :, None]
        before = ops.take_along_axis(features, below[:, :, None], axis=1)
        after = ops.take_along_axis(features, ops.minimum(below + 1, last)[:, :, None], axis=1)
        return before + fraction * (after - before)

    def compute_output_shape(self, features_shape: Shape) -> Shape:
        """(batch, any, bins) -> (batch, frames, bins)."""
        return features_shape[0], self.frames, features_shape[2]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "frames": self.frames, "jitter": self.jitter}
