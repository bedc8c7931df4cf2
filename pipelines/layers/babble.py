"""Babble made of the batch's own speech."""

import keras
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.noise_mix import mix_at
from pipelines.layers.sequences import draw_integers, true_lengths, true_only


@keras.saving.register_keras_serializable("pipelines")
class Babble(RandomLayer):
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
        super().__init__(seed=seed, **kwargs)
        if speakers < 1:
            raise ValueError(f"speakers must be at least 1. Received: {speakers}")
        if len(snr_db) != 2 or not snr_db[0] <= snr_db[1]:
            raise ValueError(f"snr_db must be (low, high), low not above high. Received: {snr_db}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1. Received: {probability}")
        if sample_rate_hz is not None and sample_rate_hz < 1000:
            raise ValueError(f"sample_rate_hz must be at least 1000. Received: {sample_rate_hz}")
        self.speakers, self.snr_db = speakers, tuple(snr_db)
        self.probability, self.sample_rate_hz = probability, sample_rate_hz

    def call(self, waveform, lengths=None, training=None):
        """(batch, samples) and true samples (batch,) -> (batch, samples)."""
        if not training:
            return waveform
        batch, seed = ops.shape(waveform)[0], self.seed_generator
        true_samples = true_lengths(waveform, lengths)
        waveform = true_only(waveform, lengths)
        babble = sum(self._another(waveform, true_samples, batch) for _ in range(self.speakers))
        snr_db = keras.random.uniform((batch,), *self.snr_db, seed=seed)
        chosen = keras.random.uniform((batch, 1), seed=seed) < self.probability
        chosen = ops.logical_and(chosen, batch > 1)
        return mix_at(waveform, ops.where(chosen, babble, 0.0), snr_db, lengths, self.sample_rate_hz)

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

    def compute_output_shape(self, waveform_shape):
        """The input's shape."""
        return tuple(waveform_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = ("speakers", "snr_db", "probability", "sample_rate_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
