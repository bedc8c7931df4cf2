"""Masks over time and frequency."""

import keras
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import draw_integers, true_lengths, true_only


@keras.saving.register_keras_serializable("pipelines")
class SpecAugment(RandomLayer):
    """Hides random bands and stretches of each clip's features; only with `training=True`.

    Input: features (batch, frames, bins); `lengths` (batch,), true frames, None for all.
    Output: the same shape, float32; 0 past a clip's frames. Hidden values become the clip's mean over its true frames
    and all bins: the paper's 0 where features are normalized, and no loud noise where they are not.
    Widths are even over 0 to `frequency_width` bins and 0 to `time_width` frames, at most `max_time_fraction` of the
    clip's true frames; masks lie inside the clip and may overlap. The defaults are the paper's LibriSpeech double.
    Park et al. 2019, arXiv:1904.08779, without its time warping.
    Raises ValueError for negative counts or widths, a fraction outside 0 to 1, and a `frequency_width` above the
    number of bins.
    """

    def __init__(
        self,
        frequency_masks=2,
        frequency_width=27,
        time_masks=2,
        time_width=100,
        max_time_fraction=1.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.frequency_masks, self.frequency_width = frequency_masks, frequency_width
        self.time_masks, self.time_width, self.max_time_fraction = time_masks, time_width, max_time_fraction
        for name in ("frequency_masks", "frequency_width", "time_masks", "time_width"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative. Received: {getattr(self, name)}")
        if not 0 <= max_time_fraction <= 1:
            raise ValueError(f"max_time_fraction must be from 0 to 1. Received: {max_time_fraction}")
        self.strength = None

    def make_scalable(self):
        """Gives the layer the variable `strength`, by which both greatest widths are multiplied: 1 until assigned."""
        self.strength = keras.Variable(1.0, trainable=False, name="strength")

    def call(self, features, lengths=None, training=None):
        """(batch, frames, bins) and true frames (batch,) -> (batch, frames, bins)."""
        bins = features.shape[2]
        if self.frequency_width > bins:
            raise ValueError(f"frequency_width must not be above the {bins} bins. Received: {self.frequency_width}")
        if not training:
            return features
        batch, frames = ops.shape(features)[:2]
        features = true_only(features, lengths)
        true_frames = true_lengths(features, lengths)[:, None]
        count = ops.cast(ops.maximum(true_frames, 1), "float32") * bins
        mean = ops.sum(features, axis=(1, 2))[:, None] / count

        longest = ops.cast(ops.cast(true_frames, "float32") * self.max_time_fraction, "int32")
        time_width = self._scaled(ops.minimum(longest, self.time_width))
        hidden_frames = self._masks((batch, self.time_masks), time_width, true_frames, frames)
        hidden_bins = self._masks((batch, self.frequency_masks), self._scaled(self.frequency_width), bins, bins)
        hidden = ops.logical_or(hidden_frames[:, :, None], hidden_bins[:, None, :])
        return true_only(ops.where(hidden, mean[:, :, None], features), lengths)

    def _scaled(self, width):
        return width if self.strength is None else ops.cast(ops.cast(width, "float32") * self.strength + 0.5, "int32")

    def _masks(self, shape, width, room, steps):
        """(batch, steps) booleans, True under any of (batch, masks) stretches of 0 to `width` steps inside `room`."""
        width = draw_integers(shape, width + 1, self.seed_generator)
        start = draw_integers(shape, room - width + 1, self.seed_generator)
        step = ops.arange(steps, dtype="int32")[None, None, :]
        inside = ops.logical_and(step >= start[:, :, None], step < (start + width)[:, :, None])
        return ops.any(inside, axis=1)

    def compute_output_shape(self, features_shape):
        """The input's shape."""
        return tuple(features_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = ("frequency_masks", "frequency_width", "time_masks", "time_width", "max_time_fraction")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
