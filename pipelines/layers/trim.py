"""An energy gate: the part of a clip that holds sound."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Shape, Tensor
from pipelines.layers.sequences import sequence_mask, valid_lengths, zero_padding

BLOCK_MS = 10.0
QUIETEST = 1e-4  # root of the mean power of a block; quieter ones hold no sound


@keras.saving.register_keras_serializable("pipelines")
class Trim(Float32Layer):
    """Cuts off what comes before the first and after the last block of 10 ms that holds sound.

    A block holds sound if its mean power is at most `range_db` below that of the clip's loudest block, and above -80
    decibels of full scale. Around the sound `margin_ms` stay. A clip without sound keeps all of its samples.

    Args:
        sample_rate_hz: Samples per second of the waveforms, at least 1000.
        range_db: Decibels, above 0.
        margin_ms: Milliseconds, at least 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self, sample_rate_hz: int = 16000, range_db: float = 30.0, margin_ms: float = 50.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if sample_rate_hz < 1000 or range_db <= 0 or margin_ms < 0:
            raise ValueError(
                "sample_rate_hz must be at least 1000, range_db above 0, margin_ms 0 or more. Received:"
                f" {sample_rate_hz=}, {range_db=}, {margin_ms=}"
            )
        self.sample_rate_hz, self.range_db, self.margin_ms = sample_rate_hz, range_db, margin_ms

    def call(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Trims clips.

        Args:
            waveform: `(batch, samples)` at `sample_rate_hz`.
            lengths: Valid samples, `(batch,)`; None is all.

        Returns:
            `(batch, samples)`, 0 in the padding, and its valid samples `(batch,)`, int32.
        """
        batch, samples = ops.shape(waveform)[:2]
        lengths = valid_lengths(waveform, lengths)
        waveform = zero_padding(waveform, lengths)
        block = round(BLOCK_MS * self.sample_rate_hz / 1000)
        count = samples // block + 1
        padded = ops.pad(waveform, [[0, 0], [0, count * block - samples]])
        power = ops.mean(ops.square(ops.reshape(padded, (-1, count, block))), axis=2)
        loudest = ops.max(power, axis=1, keepdims=True)
        sound = power > ops.maximum(loudest * 10.0 ** (-self.range_db / 10.0), QUIETEST**2)
        number = ops.arange(count, dtype="int32")[None, :]
        margin = math.ceil(self.margin_ms * self.sample_rate_hz / 1000)
        first = ops.min(ops.where(sound, number, count), axis=1) * block - margin
        last = (ops.max(ops.where(sound, number, -1), axis=1) + 1) * block + margin
        any_sound = ops.any(sound, axis=1)
        first = ops.where(any_sound, ops.maximum(first, 0), 0)
        last = ops.where(any_sound, ops.minimum(last, lengths), lengths)
        source = ops.minimum(ops.arange(samples, dtype="int32")[None, :] + first[:, None], samples - 1)
        flat = ops.arange(batch, dtype="int32")[:, None] * samples + source
        trimmed = ops.take(ops.reshape(waveform, (-1,)), flat)
        lengths = last - first
        return ops.where(sequence_mask(lengths, samples), trimmed, 0.0), lengths

    def compute_output_shape(self, waveform_shape: Shape) -> tuple[Shape, Shape]:
        """The waveform's shape and `(batch,)`."""
        return tuple(waveform_shape), (waveform_shape[0],)

    def compute_output_spec(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Any, Any]:
        """What `call` returns, as symbols: by default Keras would declare the lengths as float32."""
        shape, lengths_shape = self.compute_output_shape(waveform.shape)
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(lengths_shape, "int32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("sample_rate_hz", "range_db", "margin_ms")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
