"""Random shift in time."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import random_integers, valid_lengths, zero_padding


@keras.saving.register_keras_serializable("pipelines")
class TimeShift(RandomLayer):
    """Shifts each clip earlier or later inside its own valid samples; only with `training=True`.

    Samples that leave the clip are lost, those that become free are 0, and at least one sample stays. A clip keeps its
    length.

    Args:
        max_ms: Maximum shift in either direction, milliseconds.
        sample_rate_hz: Samples per second of the waveforms.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `max_ms` is negative, or the sample rate is 0 or below.
    """

    def __init__(
        self, max_ms: float = 100.0, sample_rate_hz: int = 16000, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if max_ms < 0:
            raise ValueError(f"max_ms must not be negative. Received: {max_ms}")
        if sample_rate_hz <= 0:
            raise ValueError(f"sample_rate_hz must be above 0. Received: {sample_rate_hz}")
        self.max_ms, self.sample_rate_hz = max_ms, sample_rate_hz

    def call(self, waveform: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Shifts clips.

        Args:
            waveform: `(batch, samples)` at `sample_rate_hz`.
            lengths: Valid samples, `(batch,)`; None is all.
            training: Shifts only if True; otherwise returns the waveform as it is.

        Returns:
            `(batch, samples)`, float32; 0 in the padding.
        """
        if not training:
            return waveform
        batch, samples = ops.shape(waveform)[:2]
        lengths_column = valid_lengths(waveform, lengths)[:, None]
        max_shift = ops.clip(lengths_column - 1, 0, round(self.max_ms * self.sample_rate_hz / 1000))
        shift = random_integers((batch, 1), 2 * max_shift + 1, self.seed_generator) - max_shift
        source = ops.arange(samples, dtype="int32")[None, :] - shift
        flat = ops.arange(batch, dtype="int32")[:, None] * samples + ops.clip(source, 0, samples - 1)
        shifted = ops.take(ops.reshape(waveform, (-1,)), flat)
        free = ops.logical_or(source < 0, source >= lengths_column)
        return zero_padding(ops.where(free, 0.0, shifted), lengths)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "max_ms": self.max_ms, "sample_rate_hz": self.sample_rate_hz}
