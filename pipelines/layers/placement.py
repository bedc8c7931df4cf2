"""Random places of clips in longer ones."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Tensor
from pipelines.layers.sequences import random_integers, zero_padding
from pipelines.layers.stretch import Stretch


@keras.saving.register_keras_serializable("pipelines")
class Placement(Stretch):
    """Puts each clip at a random place in a longer one, with digital silence around it; only with `training=True`.

    A quarter of the clips stay as they are. Around the others the silence lasts a uniform time in all, from 0 to
    `max_seconds`, which is divided uniformly between both ends.

    Args:
        max_seconds: Maximum silence in all, seconds, above 0.
        sample_rate_hz: Samples per second of the waveforms.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is 0 or below, or the longest silence is shorter than a sample.
    """

    def __init__(
        self, max_seconds: float = 1.0, sample_rate_hz: int = 16000, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if sample_rate_hz <= 0 or round(max_seconds * sample_rate_hz) < 1:
            raise ValueError(
                f"max_seconds must be a sample or more, sample_rate_hz above 0. Received: {max_seconds=},"
                f" {sample_rate_hz=}"
            )
        self.max_seconds, self.sample_rate_hz = max_seconds, sample_rate_hz
        self._longest = round(max_seconds * sample_rate_hz)

    def stretch(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Places each clip.

        Args:
            waveform: `(batch, samples)`.
            lengths: Valid samples, `(batch,)`, int32.

        Returns:
            `(batch, samples + max_seconds)`, 0 around the clips, and its valid samples `(batch,)`, int32.
        """
        batch, samples = ops.shape(waveform)
        longest = self._longest
        # A quarter of the clips stay as they are.
        silence = random_integers((batch,), longest + longest // 3 + 1, self.seed_generator) - longest // 3
        silence = ops.maximum(silence, 0)
        before = random_integers((batch,), silence + 1, self.seed_generator)
        source = ops.arange(self.steps_out(samples), dtype="int32")[None, :] - before[:, None]
        flat = ops.arange(batch, dtype="int32")[:, None] * samples + ops.clip(source, 0, samples - 1)
        placed = ops.take(ops.reshape(zero_padding(waveform, lengths), (-1,)), flat)
        inside = ops.logical_and(source >= 0, source < lengths[:, None])
        return ops.where(inside, placed, 0.0), lengths + silence

    def steps_out(self, steps: Tensor) -> Tensor:
        """Adds the longest silence to the steps of the batch.

        Args:
            steps: Samples of the batch, an int or an int tensor.

        Returns:
            An int or an int tensor.
        """
        return steps + self._longest

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "max_seconds": self.max_seconds, "sample_rate_hz": self.sample_rate_hz}
