"""Babble made of the batch's own speech."""

import keras
from keras import ops

from pipelines.layers.noise_mix import Mixing
from pipelines.layers.sequences import draw_integers


@keras.saving.register_keras_serializable("pipelines")
class Babble(Mixing):
    """Lets other clips of the batch talk over each clip; only with `training=True`.

    Input: waveform (batch, samples); `lengths` (batch,), true samples, None for all.
    Output: the same shape, float32; 0 past a clip's samples. Nothing is clipped: samples may leave [-1, 1]. A clip is
    mixed with `probability`.
    The babble is the sum of `speakers` other clips, chosen at random, the same one more than once or not; each is
    brought to the same mean power and repeated from a random start to fill the clip. It is mixed by
    `noise_mix.mix_at` at a ratio drawn evenly, in decibels, from `snr_db` = (low, high); `sample_rate_hz` as there:
    None is the ratio of mean powers, a rate that of the active speech.
    This is the one layer whose result depends on the batch, and so it is nothing for a batch of one clip.
    Raises ValueError for fewer speakers than 1, a range the wrong way round, a probability outside 0 to 1, a sample
    rate below 1000 Hz.
    """

    def __init__(self, speakers=4, snr_db=(5.0, 20.0), probability=1.0, sample_rate_hz=None, seed=None, **kwargs):
        super().__init__(snr_db, probability, sample_rate_hz, seed=seed, **kwargs)
        if speakers < 1:
            raise ValueError(f"speakers must be at least 1. Received: {speakers}")
        self.speakers = speakers

    def interference(self, waveform, true_samples):
        """The sum of other clips (batch, samples), silence where there is none."""
        batch = ops.shape(waveform)[0]
        babble = sum(self._another(waveform, true_samples[:, 0], batch) for _ in range(self.speakers))
        return ops.where(batch > 1, babble, 0.0)

    def _another(self, waveform, true_samples, batch):
        """For each clip another one of mean power 1, from a random start and beginning again after its end."""
        energy = ops.sum(waveform * waveform, axis=1)
        power = energy / ops.cast(ops.maximum(true_samples, 1), "float32")
        scale = ops.where(power > 0, ops.rsqrt(ops.where(power > 0, power, 1.0)), 0.0)
        away = 1 + draw_integers((batch, 1), ops.maximum(batch - 1, 1), self.seed_generator)
        which = (ops.arange(batch, dtype="int32")[:, None] + away) % batch
        length = ops.maximum(ops.take(true_samples, which), 1)
        start = draw_integers((batch, 1), length, self.seed_generator)
        samples = ops.shape(waveform)[1]
        position = (start + ops.arange(samples, dtype="int32")[None, :]) % length
        return ops.take(scale, which) * ops.take(ops.reshape(waveform, (-1,)), which * samples + position)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "speakers": self.speakers}
