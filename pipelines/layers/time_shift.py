"""Random shift in time."""

import keras
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import draw_integers, true_lengths, true_only


@keras.saving.register_keras_serializable("pipelines")
class TimeShift(RandomLayer):
    """Moves each clip forward or back by up to `max_ms` inside its own true samples; only with `training=True`.

    Input: waveform (batch, samples) at `sample_rate_hz`; `lengths` (batch,), true samples, None for all.
    Output: the same shape, float32. What leaves the clip is lost, what becomes free is 0, and at least one sample
    stays; a clip keeps its length and is 0 past it.
    Raises ValueError for a negative `max_ms` or a sample rate of 0 or below.
    """

    def __init__(self, max_ms=100.0, sample_rate_hz=16000, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if max_ms < 0:
            raise ValueError(f"max_ms must not be negative. Received: {max_ms}")
        if sample_rate_hz <= 0:
            raise ValueError(f"sample_rate_hz must be above 0. Received: {sample_rate_hz}")
        self.max_ms, self.sample_rate_hz = max_ms, sample_rate_hz

    def call(self, waveform, lengths=None, training=None):
        """(batch, samples) and true samples (batch,) -> (batch, samples)."""
        if not training:
            return waveform
        batch, samples = ops.shape(waveform)[:2]
        true_samples = true_lengths(waveform, lengths)[:, None]
        most = ops.clip(true_samples - 1, 0, round(self.max_ms * self.sample_rate_hz / 1000))
        shift = draw_integers((batch, 1), 2 * most + 1, self.seed_generator) - most
        source = ops.arange(samples, dtype="int32")[None, :] - shift
        flat = ops.arange(batch, dtype="int32")[:, None] * samples + ops.clip(source, 0, samples - 1)
        moved = ops.take(ops.reshape(waveform, (-1,)), flat)
        free = ops.logical_or(source < 0, source >= true_samples)
        return true_only(ops.where(free, 0.0, moved), lengths)

    def compute_output_shape(self, waveform_shape):
        """The input's shape."""
        return tuple(waveform_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "max_ms": self.max_ms, "sample_rate_hz": self.sample_rate_hz}
