"""Random tempo and vocal-tract length, on a spectrogram."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Tensor
from pipelines.layers.sequences import random_integers, zero_padding
from pipelines.layers.spectrum import hz_to_mel, mel_to_hz
from pipelines.layers.stretch import Stretch, gather_steps, source_positions, stretched_lengths, to_thousandths


@keras.saving.register_keras_serializable("pipelines")
class SpectrogramWarp(Stretch):
    """Changes each clip's tempo without its pitch, and the length of its vocal tract; only with `training=True`.

    Both factors are uniform, in thousandths. The tempo uses linear interpolation between frames; n frames become
    1 + floor((n - 1) / tempo). The value at frequency f is the input's at w(f): tract * f up to a boundary, and from
    there on a straight line that keeps `high_hz` (Jaitly and Hinton 2013, "Vocal tract length perturbation (VTLP)
    improves speech recognition"). The paper warps the centers of the filters; here the finished features are
    interpolated between filters, so that a pitch's harmonics, where filters resolve them, move as well.

    Args:
        tempo: Lowest and highest tempo, from 0.1 to 10; above 1 is faster. (1, 1) turns it off.
        tract: Lowest and highest factor of the vocal tract's length, from 0.1 to 10; above 1 lowers the formants.
            (1, 1) turns it off.
        low_hz: Lower edge of the features' first filter.
        high_hz: Upper edge of the features' last filter.
        mel_scale: "htk" or "slaney", the features' scale.
        boundary_hz: Boundary of the warp; None is 0.6 of `high_hz`, the paper's 4,800 of 8,000 Hz.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: A range of factors is invalid, the band has no width, the scale is unknown, or the boundary is
            outside the band.
    """

    def __init__(
        self,
        tempo: tuple[float, float] = (0.85, 1.15),
        tract: tuple[float, float] = (0.9, 1.1),
        low_hz: float = 0.0,
        high_hz: float = 8000.0,
        mel_scale: str = "htk",
        boundary_hz: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self._rates, self._tracts = to_thousandths("tempo", *tempo), to_thousandths("tract", *tract)
        if not 0 <= low_hz < high_hz:
            raise ValueError(f"Must hold: 0 <= low_hz < high_hz. Received: {low_hz=}, {high_hz=}")
        if mel_scale not in ("htk", "slaney"):
            raise ValueError(f'mel_scale must be "htk" or "slaney". Received: {mel_scale!r}')
        boundary_hz = 0.6 * high_hz if boundary_hz is None else boundary_hz
        if not low_hz < boundary_hz * min(1000, *self._tracts) / 1000 <= boundary_hz < high_hz:
            raise ValueError(
                f"boundary_hz must lie inside the band, also times the shortest tract. Received: {boundary_hz=}"
            )
        self.tempo, self.tract, self.low_hz, self.high_hz = tuple(tempo), tuple(tract), low_hz, high_hz
        self.mel_scale, self.boundary_hz = mel_scale, boundary_hz

    def stretch(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Warps each clip at random.

        Args:
            features: Log-mel energies `(batch, frames, mels)`.
            lengths: Valid frames, `(batch,)`, int32.

        Returns:
            `(batch, ceil(frames / tempo[0]), mels)`, 0 in the padding, and its valid frames `(batch,)`, int32.
        """
        batch, frames, bins = ops.shape(features)
        rates = self.sample_rates(batch)
        tracts = random_integers((batch,), self._tracts[1] - self._tracts[0] + 1, self.seed_generator)
        if self._tracts != (1000, 1000):
            matrices = ops.take(self._warp_matrices(bins), tracts, axis=0)
            features = ops.matmul(zero_padding(features, lengths), matrices)
        if self._rates == (1000, 1000):
            return zero_padding(features, lengths), lengths
        whole, part = source_positions(self.steps_out(frames), rates)
        before, after = (gather_steps(features, whole + i, lengths) for i in (0, 1))
        lengths = stretched_lengths(lengths, rates)
        return zero_padding(before + part[:, :, None] * (after - before), lengths), lengths

    def _warp_matrices(self, bins: int) -> np.ndarray:
        """For every tract the matrix that interpolates between bins, (tracts, bins, bins)."""
        low, high = hz_to_mel([self.low_hz, self.high_hz], self.mel_scale)
        centers_hz = mel_to_hz(np.linspace(low, high, bins + 2)[1:-1], self.mel_scale)
        tracts = np.arange(self._tracts[0], self._tracts[1] + 1)[:, None] / 1000
        warped_hz = warp_frequency(centers_hz, tracts, self.boundary_hz, self.high_hz)
        position = (hz_to_mel(warped_hz, self.mel_scale) - low) / (high - low) * (bins + 1) - 1
        distance = np.clip(position, 0, bins - 1)[:, None, :] - np.arange(bins)[:, None]
        return np.maximum(0, 1 - np.abs(distance)).astype("float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("tempo", "tract", "low_hz", "high_hz", "mel_scale", "boundary_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def warp_frequency(hz: np.ndarray, tract: np.ndarray | float, boundary_hz: float, high_hz: float) -> np.ndarray:
    """Maps frequencies of the output to those of the input (Jaitly and Hinton 2013).

    Args:
        hz: Frequencies in the output.
        tract: Factors of the vocal tract's length; broadcasts with `hz`.
        boundary_hz: Boundary of the warp.
        high_hz: Upper end of the band, which stays in place.

    Returns:
        Frequencies in the input.
    """
    end = boundary_hz * np.minimum(tract, 1.0)  # of the linear part, in the input
    rest = high_hz - (high_hz - end) / (high_hz - end / tract) * (high_hz - hz)
    return np.where(hz <= end / tract, tract * hz, rest)
