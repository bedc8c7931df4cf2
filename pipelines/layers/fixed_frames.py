"""Clips of any length as so many frames."""

import keras
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import true_lengths


@keras.saving.register_keras_serializable("pipelines")
class FixedFrames(RandomLayer):
    """Stretches or shrinks each clip in time to `frames` frames by linear interpolation between its own frames.

    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: (batch, `frames`, bins), float32: the first and the last are the clip's own. What lies past a clip's true
    frames is never looked at; a clip without frames comes out as its first.
    With `training=True` each end of a clip is moved by up to `jitter` of its length, inwards, where something is cut
    off, or outwards, where the clip's first or last frame stands on.
    Raises ValueError for fewer than 2 frames and for a jitter outside 0 to 0.5.
    """

    def __init__(self, frames=64, jitter=0.0, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if frames < 2:
            raise ValueError(f"frames must be at least 2. Received: {frames}")
        if not 0 <= jitter < 0.5:
            raise ValueError(f"jitter must be at least 0 and below 0.5. Received: {jitter}")
        self.frames, self.jitter = frames, jitter

    def call(self, features, lengths=None, training=None):
        """(batch, any, bins) and true frames (batch,) -> (batch, frames, bins)."""
        last = ops.maximum(true_lengths(features, lengths) - 1, 0)[:, None]
        place = ops.arange(self.frames, dtype="float32")[None, :] / (self.frames - 1)
        if training and self.jitter:
            shape, seed = (ops.shape(features)[0], 1), self.seed_generator
            start, end = (keras.random.uniform(shape, -self.jitter, self.jitter, seed=seed) for _ in range(2))
            place = ops.clip(start + place * (1.0 + end - start), 0.0, 1.0)
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
        return {**super().get_config(), "frames": self.frames, "jitter": self.jitter}
