"""Noise added at a given signal-to-noise ratio."""

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.sequences import draw_integers, true_lengths, true_only
from pipelines.layers.speech_level import active_level, mean_level


def mix_at(waveform, noise, snr_db, lengths=None, sample_rate_hz=None):
    """Adds to each clip its noise at a signal-to-noise ratio.

    Waveform and noise (batch, samples); `snr_db` in decibels, a number or (batch,); `lengths` (batch,), true samples,
    None for all -> (batch, samples), 0 past a clip's samples. Where the clip or its noise has no power nothing changes.
    With `sample_rate_hz` the ratio is that of Aurora-2 (Hirsch and Pearce 2000): the active level of the speech (ITU-T
    P.56) over the level of the noise during the whole clip, both in the telephone band (ITU-T G.712), see
    `speech_level`; without it, of the mean powers.
    """
    waveform, noise = true_only(waveform, lengths), true_only(noise, lengths)
    if sample_rate_hz is None:
        # roots of energies: both stand for the same samples, so their number cancels
        signal_level, noise_level = (ops.sqrt(ops.sum(x * x, axis=1)) for x in (waveform, noise))
    else:
        signal_level = active_level(waveform, lengths, sample_rate_hz)
        noise_level = mean_level(noise, lengths, sample_rate_hz)
    audible = noise_level > 0
    scale = signal_level / ops.where(audible, noise_level, 1.0) * 10.0 ** (-snr_db / 20.0)
    return waveform + ops.where(audible, scale, 0.0)[:, None] * noise


class Mixing(RandomLayer):
    """Adds to each clip what a subclass's `interference` has for it, at a random ratio; only with `training=True`.

    A clip is mixed with `probability`, at a ratio drawn evenly, in decibels, from `snr_db` = (low, high); low == high
    fixes it. `sample_rate_hz` decides what the ratio is of, see `mix_at`.
    Raises ValueError for a range the wrong way round, a probability outside 0 to 1, a sample rate below 1000 Hz.
    """

    def __init__(self, snr_db, probability, sample_rate_hz, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if len(snr_db) != 2 or not snr_db[0] <= snr_db[1]:
            raise ValueError(f"snr_db must be (low, high), low not above high. Received: {snr_db}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1. Received: {probability}")
        if sample_rate_hz is not None and sample_rate_hz < 1000:
            raise ValueError(f"sample_rate_hz must be at least 1000. Received: {sample_rate_hz}")
        self.snr_db, self.probability, self.sample_rate_hz = tuple(snr_db), probability, sample_rate_hz

    def call(self, waveform, lengths=None, training=None):
        """(batch, samples) and true samples (batch,) -> (batch, samples)."""
        if not training:
            return waveform
        batch, seed = ops.shape(waveform)[0], self.seed_generator
        waveform = true_only(waveform, lengths)
        noise = self.interference(waveform, true_lengths(waveform, lengths)[:, None])
        snr_db = keras.random.uniform((batch,), *self.snr_db, seed=seed)
        chosen = keras.random.uniform((batch, 1), seed=seed) < self.probability
        return mix_at(waveform, ops.where(chosen, noise, 0.0), snr_db, lengths, self.sample_rate_hz)

    def interference(self, waveform, true_samples):
        """(batch, samples), 0 past a clip's end, and true samples (batch, 1) -> what is mixed in, (batch, samples)."""
        raise NotImplementedError

    def compute_output_shape(self, waveform_shape):
        """The input's shape."""
        return tuple(waveform_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = ("snr_db", "probability", "sample_rate_hz")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable("pipelines")
class NoiseMix(Mixing):
    """Adds to each clip a random piece of a random noise at a random signal-to-noise ratio; only with `training=True`.

    Input: waveform (batch, samples); `lengths` (batch,), true samples, None for all.
    Output: the same shape, float32; 0 past a clip's samples. Nothing is clipped or renormalized: samples may leave
    [-1, 1]. A clip is mixed with `probability`.
    The ratio is drawn evenly, in decibels, from `snr_db` = (low, high); low == high fixes it. It is that of the mean
    powers over the clip's true samples or, with `sample_rate_hz`, that of the active speech, see `mix_at`. A noise
    shorter than its clip is repeated from a random start. Where the clip or the piece of noise has no power nothing
    changes.
    `num_noises` noises of at most `noise_samples` samples live in a non-trainable weight, on the model's device and
    in its weights file; until `fill` they are silent.
    Raises ValueError for sizes below 1 or a bank of 2^31 samples or more, a range the wrong way round, a probability
    outside 0 to 1, a sample rate below 1000 Hz.
    """

    def __init__(
        self,
        num_noises,
        noise_samples,
        snr_db=(5.0, 20.0),
        probability=1.0,
        sample_rate_hz=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(snr_db, probability, sample_rate_hz, seed=seed, **kwargs)
        if num_noises < 1 or noise_samples < 1 or num_noises * noise_samples >= 2**31:
            raise ValueError(
                "num_noises and noise_samples must be at least 1, their product below 2^31. "
                f"Received: {num_noises=}, {noise_samples=}"
            )
        self.num_noises, self.noise_samples = num_noises, noise_samples
        self.noises = self.add_weight((num_noises, noise_samples), "zeros", trainable=False, name="noises")
        self.noise_lengths = self.add_weight((num_noises,), "ones", "int32", trainable=False, name="noise_lengths")

    def fill(self, noises):
        """Puts `num_noises` waveforms (samples,) of 1 to `noise_samples` samples into the bank.

        Raises ValueError for another number of noises, and for one that is empty, too long, not flat or not finite.
        """
        if len(noises) != self.num_noises:
            raise ValueError(f"The bank takes {self.num_noises} noises. Received: {len(noises)}")
        bank = np.zeros((self.num_noises, self.noise_samples), "float32")
        for i, noise in enumerate(noises):
            if np.ndim(noise) != 1 or not 1 <= len(noise) <= self.noise_samples or not np.isfinite(noise).all():
                raise ValueError(
                    f"A noise must be finite, (samples,), with 1 to {self.noise_samples} samples. "
                    f"Received: shape {np.shape(noise)} at index {i}"
                )
            bank[i, : len(noise)] = noise
        self.noises.assign(bank)
        self.noise_lengths.assign(np.array([len(noise) for noise in noises], "int32"))

    def interference(self, waveform, true_samples):
        """A random noise's samples (batch, samples) from a random start, beginning again after its end."""
        shape = (ops.shape(waveform)[0], 1)
        which = draw_integers(shape, self.num_noises, self.seed_generator)
        length = ops.take(self.noise_lengths, which)
        # a longer noise is never cut at its end, which would put a jump into the clip
        starts = ops.where(length >= true_samples, length - true_samples + 1, length)
        start = draw_integers(shape, starts, self.seed_generator)
        position = (start + ops.arange(ops.shape(waveform)[1], dtype="int32")[None, :]) % length
        return ops.take(ops.reshape(self.noises, (-1,)), which * self.noise_samples + position)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "num_noises": self.num_noises, "noise_samples": self.noise_samples}
