"""Changes over time of a clip's features."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.sequences import mask, true_only


@keras.saving.register_keras_serializable("pipelines")
class Deltas(Float32Layer):
    """Appends first and second derivatives over time to the features.

    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: (batch, frames, 3 * bins), float32: features, deltas, deltas of the deltas; 0 past a clip's frames.
    delta[t] = sum_k k * (x[t + k] - x[t - k]) / (2 * sum_k k^2), k = 1 ... `radius_frames`; before the clip's own
    first frame and after its own last one stand copies of them (Young et al., The HTK Book).
    Raises ValueError for a radius below 1.
    """

    def __init__(self, radius_frames=2, **kwargs):
        super().__init__(**kwargs)
        if radius_frames < 1:
            raise ValueError(f"radius_frames must be at least 1. Received: {radius_frames}")
        self.radius_frames = radius_frames

    def call(self, features, lengths=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, 3 * bins)."""
        deltas = self._regression(features, lengths)
        return true_only(ops.concatenate([features, deltas, self._regression(deltas, lengths)], axis=2), lengths)

    def _regression(self, x, lengths):
        frames, radius = ops.shape(x)[1], self.radius_frames
        last = x[:, -1:]
        if lengths is not None:
            index = ops.maximum(ops.cast(lengths, "int32") - 1, 0)
            last = ops.take_along_axis(x, index[:, None, None], axis=1)
            x = ops.where(mask(lengths, frames)[:, :, None], x, last)
        x = ops.concatenate([x[:, :1]] * radius + [x] + [last] * radius, axis=1)
        total = 0.0
        for k in range(1, radius + 1):
            ahead, behind = x[:, radius + k : radius + k + frames], x[:, radius - k : radius - k + frames]
            total += k * (ahead - behind)
        return total / (2 * sum(k * k for k in range(1, radius + 1)))

    def compute_output_shape(self, features_shape):
        """(batch, frames, bins) -> (batch, frames, 3 * bins)."""
        batch, frames, bins = features_shape
        return batch, frames, None if bins is None else 3 * bins

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "radius_frames": self.radius_frames}
