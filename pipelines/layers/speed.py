"""Random speed."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Tensor
from pipelines.layers.sequences import zero_padding
from pipelines.layers.stretch import Stretch, gather_steps, source_positions, stretched_lengths, to_thousandths


@keras.saving.register_keras_serializable("pipelines")
class Speed(Stretch):
    """Plays each clip faster or slower, so that tempo, pitch and formants change together; only with `training=True`.

    The factor is uniform from `low` to `high` in thousandths; above 1 is faster and higher. A clip of n samples gets
    1 + floor((n - 1) / factor). Cubic interpolation through four samples (Catmull and Rom 1974) without a low-pass
    filter: at a factor above 1, frequencies above half the rate divided by the factor alias, and the highest octave is
    attenuated; neither matters for factors near 1. Ko et al. 2015, "Audio augmentation for speech recognition", uses
    the factors 0.9, 1, 1.1.

    Args:
        low: Lowest factor, at least 0.1.
        high: Highest factor, at most 10; equal to `low` for a fixed factor.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: Not 0.1 <= low <= high <= 10, or no thousandth lies between them.
    """

    def __init__(self, low: float = 0.9, high: float = 1.1, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self._rates = to_thousandths("low and high", low, high)
        self.low, self.high = low, high

    def stretch(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Resamples each clip at a random speed.

        Args:
            waveform: `(batch, samples)`.
            lengths: Valid samples, `(batch,)`, int32.

        Returns:
            `(batch, ceil(samples / low))`, 0 in the padding, and its valid samples `(batch,)`, int32.
        """
        batch, samples = ops.shape(waveform)
        rates = self.sample_rates(batch)
        whole, part = source_positions(self.steps_out(samples), rates)
        a, b, c, d = (gather_steps(waveform, whole + i, lengths) for i in (-1, 0, 1, 2))
        slope, bend, twist = c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a
        resampled = b + 0.5 * part * (slope + part * (bend + part * twist))
        lengths = stretched_lengths(lengths, rates)
        return zero_padding(resampled, lengths), lengths

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "low": self.low, "high": self.high}
