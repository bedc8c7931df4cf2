"""Per-channel energy normalization."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Tensor
from pipelines.layers.log_mel import LogMel
from pipelines.layers.sequences import decaying_sum, zero_padding


@keras.saving.register_keras_serializable("pipelines")
class PCEN(LogMel):
    """Mel energies, each divided by its own recent average and compressed; a clip's features depend on that clip only.

    Replaces the logarithm of LogMel. With energy E and its average M in a filter's frame t:

        M[t] = (1 - smoothing) M[t - 1] + smoothing E[t], M[0] = E[0]
        PCEN[t] = (E[t] / (epsilon + M[t])^gain + bias)^power - bias^power

    A frame does not depend on later frames. Parameters are fixed, not learned. Wang et al. 2017, "Trainable frontend
    for robust and far-field keyword spotting", arXiv:1607.05666, equations 1 and 2 (there s, alpha, delta, r), whose
    values are the defaults.

    Args:
        sample_rate_hz: See `LogFilters`.
        smoothing: Above 0, at most 1.
        gain: From 0 to 1.
        bias: 0 or more.
        power: Above 0.
        epsilon: Above 0, in units of the energies of a waveform in [-1, 1]; sounds softer than this are not amplified.
        floor: See `LogFilters`.
        **kwargs: Arguments of `LogMel`.

    Raises:
        ValueError: As `LogMel`, or for a parameter outside its range.
    """

    def __init__(
        self,
        sample_rate_hz: float,
        smoothing: float = 0.025,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        epsilon: float = 1e-6,
        floor: float = 1e-10,
        **kwargs: Any,
    ) -> None:
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

    def compress(self, energies: Tensor, valid_frames: Tensor | None) -> Tensor:
        """Normalizes and compresses energies.

        Args:
            energies: `(batch, frames, mels)`, with arbitrary values in the padding.
            valid_frames: `(batch,)`, or None for all.

        Returns:
            Features in the same shape, with arbitrary values in the padding.
        """
        # a product with 0 would bring NaN from the padding back into the clip
        energies = ops.maximum(zero_padding(energies, valid_frames), self.floor)
        fresh = ops.concatenate([energies[:, :1], self.smoothing * energies[:, 1:]], axis=1)
        average = decaying_sum(fresh, 1.0 - self.smoothing)
        return (energies / (self.epsilon + average) ** self.gain + self.bias) ** self.power - self.bias**self.power

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("smoothing", "gain", "bias", "power", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
