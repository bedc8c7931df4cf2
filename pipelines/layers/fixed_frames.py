"""Clips of any length as so many frames."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import true_lengths


@keras.saving.register_keras_serializable("pipelines")
class FixedFrames(Float32Layer):
    """Stretches or shrinks each clip in time to `frames` frames by linear interpolation between its own frames.

    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: (batch, `frames`, bins), float32: the first and the last are the clip's own. What lies past a clip's true
    frames is never looked at; a clip without frames comes out as its first.
    Raises ValueError for fewer than 2 frames.
    """

    def __init__(self, frames=64, **kwargs):
        super().__init__(**kwargs)
        if frames < 2:
            raise ValueError(f"frames must be at least 2. Received: {frames}")
        self.frames = frames

    def call(self, features, lengths=None):
        """(batch, any, bins) and true frames (batch,) -> (batch, frames, bins)."""
        last = ops.maximum(true_lengths(features, lengths) - 1, 0)[:, None]
        place = ops.arange(self.frames, dtype="float32")[None, :] / (self.frames - 1)
        place = place * ops.cast(last, "float32")
        below = ops.minimum(ops.cast(ops.floor(place), "int32"), last)
        share = (place - ops.cast(below, "float32"))[:, :, None]
        before = ops.take_along_axis(features, below[:, :, None], axis=1)
        after = ops.take_along_axis(features, ops.minimum(below + 1, last)[:, :, None], axis=1)
        return before + share * (after - before)

    def compute_output_shape(self, features_shape):
        """(batch, any, bins) -> (batch, frames, bins)."""
        return features_shape[0], self.frames, features_shape[2]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "frames": self.frames}
