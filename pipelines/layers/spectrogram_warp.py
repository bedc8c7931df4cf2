"""Random tempo and vocal tract, on a spectrogram."""

import keras
import numpy as np
from keras import ops

from pipelines.layers.sequences import draw_integers, true_only
from pipelines.layers.spectrum import hz_of_mel, mel_of_hz
from pipelines.layers.stretch import Stretch, new_lengths, places, take_steps, thousandths


@keras.saving.register_keras_serializable("pipelines")
class SpectrogramWarp(Stretch):
    """Changes each clip's tempo without its pitch, and its speaker's vocal tract; only with `training=True`.

    Input: log-mel features (batch, frames, mels) whose filters span `low_hz` to `high_hz` on `mel_scale` ("htk" or
    "slaney"); `lengths` (batch,), true frames, None for all.
    Output: features (batch, ceil(frames / tempo[0]), mels), float32, 0 past a clip's frames, and its new true frames
    (batch,), int32; without `training=True` the input and its lengths. Both factors are drawn evenly, in thousandths,
    from (low, high); low == high fixes one, (1, 1) turns it off.
    tempo: above 1 is faster; linear interpolation between frames; n frames become 1 + floor((n - 1) / tempo).
    tract: the speaker's vocal tract grows by this factor, so that formants fall by it. The value at frequency f is the
    input's at w(f): tract * f up to a boundary, and from there on a straight line that leaves `high_hz` in its place
    (Jaitly and Hinton 2013, "Vocal tract length perturbation (VTLP) improves speech recognition"). The paper warps
    the filters' centers; here the finished features are interpolated between filters, which a pitch's harmonics, where
    filters resolve them, follow as well. `boundary_hz` None is 0.6 of `high_hz`: the paper's 4,800 of 8,000 Hz.
    Raises ValueError for factors outside 0.1 to 10 or the wrong way round, a band of no width, an unknown scale, and a
    boundary outside the band.
    """

    def __init__(
        self,
        tempo=(0.85, 1.15),
        tract=(0.9, 1.1),
        low_hz=0.0,
        high_hz=8000.0,
        mel_scale="htk",
        boundary_hz=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self._rates, self._tracts = thousandths("tempo", *tempo), thousandths("tract", *tract)
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

    def stretch(self, features, lengths):
        """(batch, frames, mels) and true frames (batch,) -> the same, warped at random."""
        batch, frames, bins = ops.shape(features)
        rates = self.draw(batch)
        tracts = draw_integers((batch,), self._tracts[1] - self._tracts[0] + 1, self.seed_generator)
        if self._tracts != (1000, 1000):
            features = ops.matmul(true_only(features, lengths), ops.take(self._between(bins), tracts, axis=0))
        if self._rates == (1000, 1000):
            return true_only(features, lengths), lengths
        whole, part = places(self.steps_out(frames), rates)
        before, after = (take_steps(features, whole + i, lengths) for i in (0, 1))
        lengths = new_lengths(lengths, rates)
        return true_only(before + part[:, :, None] * (after - before), lengths), lengths

    def _between(self, bins):
        """For every tract the matrix that interpolates between bins, (tracts, bins, bins)."""
        low, high = mel_of_hz([self.low_hz, self.high_hz], self.mel_scale)
        centers_hz = hz_of_mel(np.linspace(low, high, bins + 2)[1:-1], self.mel_scale)
        tracts = np.arange(self._tracts[0], self._tracts[1] + 1)[:, None] / 1000
        warped_hz = warp(centers_hz, tracts, self.boundary_hz, self.high_hz)
        position = (mel_of_hz(warped_hz, self.mel_scale) - low) / (high - low) * (bins + 1) - 1
        distance = np.clip(position, 0, bins - 1)[:, None, :] - np.arange(bins)[:, None]
        return np.maximum(0, 1 - np.abs(distance)).astype("float32")

    def get_config(self):
        """The constructor's arguments."""
        own = ("tempo", "tract", "low_hz", "high_hz", "mel_scale", "boundary_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def warp(hz, tract, boundary_hz, high_hz):
    """Where in the input the output's frequency `hz` comes from (Jaitly and Hinton 2013)."""
    end = boundary_hz * np.minimum(tract, 1.0)  # of the straight part, in the input
    rest = high_hz - (high_hz - end) / (high_hz - end / tract) * (high_hz - hz)
    return np.where(hz <= end / tract, tract * hz, rest)
