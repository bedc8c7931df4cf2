"""Per-channel energy normalization."""

import keras
from keras import ops

from pipelines.layers.log_mel import LogMel
from pipelines.layers.sequences import decaying_sum, true_only


@keras.saving.register_keras_serializable("pipelines")
class PCEN(LogMel):
    """Mel energies, each divided by its own recent average and compressed; a clip's features depend on that clip alone.

    Takes the place of the logarithm in LogMel, whose arguments, input, output and errors it shares; energies below
    `floor` count as `floor`. With energy E and its average M in a filter's frame t:

        M[t] = (1 - smoothing) M[t - 1] + smoothing E[t], M[0] = E[0]
        PCEN[t] = (E[t] / (epsilon + M[t])^gain + bias)^power - bias^power

    A frame knows nothing of later frames. Parameters are fixed, not learned. Energies are those of a waveform in
    [-1, 1]: `epsilon` decides how soft a sound may be and still be brought up.
    Wang et al. 2017, "Trainable frontend for robust and far-field keyword spotting", arXiv:1607.05666, equations 1 and
    2 (there s, alpha, delta, r); its values are the defaults.
    Raises ValueError also for a smoothing outside 0 to 1 or 0, a gain outside 0 to 1, a negative bias, a power or an
    epsilon of 0 or below.
    """

    def __init__(
        self, sample_rate_hz, smoothing=0.025, gain=0.98, bias=2.0, power=0.5, epsilon=1e-6, floor=1e-10, **kwargs
    ):
        super().__init__(sample_rate_hz, floor=floor, **kwargs)
        if not 0 < smoothing <= 1:
            raise ValueError(f"smoothing must be above 0 and at most 1. Received: {smoothing}")
        if not 0 <= gain <= 1:
            raise ValueError(f"gain must be from 0 to 1. Received: {gain}")
        if bias < 0:
            raise ValueError(f"bias must not be negative. Received: {bias}")
        if power <= 0:
            raise ValueError(f"power must be above 0. Received: {power}")
        if epsilon <= 0:
            raise ValueError(f"epsilon must be above 0. Received: {epsilon}")
        self.smoothing, self.gain, self.bias, self.power, self.epsilon = smoothing, gain, bias, power, epsilon

    def compress(self, energies, true_frames):
        """(batch, frames, mels) and true frames (batch,) or None -> (batch, frames, mels)."""
        # a product with 0 would bring NaN from past the end back into the clip
        energies = ops.maximum(true_only(energies, true_frames), self.floor)
        fresh = ops.concatenate([energies[:, :1], self.smoothing * energies[:, 1:]], axis=1)
        average = decaying_sum(fresh, 1.0 - self.smoothing)
        return (energies / (self.epsilon + average) ** self.gain + self.bias) ** self.power - self.bias**self.power

    def get_config(self):
        """The constructor's arguments."""
        own = ("smoothing", "gain", "bias", "power", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
