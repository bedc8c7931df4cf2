"""Random speed."""

import keras
from keras import ops

from pipelines.layers.sequences import true_only
from pipelines.layers.stretch import Stretch, new_lengths, places, take_steps, thousandths


@keras.saving.register_keras_serializable("pipelines")
class Speed(Stretch):
    """Plays each clip faster or slower, so that tempo, pitch and formants change together; only with `training=True`.

    Input: waveform (batch, samples); `lengths` (batch,), true samples, None for all.
    Output: waveform (batch, ceil(samples / low)), float32, 0 past a clip's samples, and its new true samples (batch,),
    int32; without `training=True` the input and its lengths. A clip of n samples gets 1 + floor((n - 1) / factor).
    The factor is drawn evenly from `low` to `high` in thousandths; above 1 is faster and higher. low == high fixes it.
    Cubic interpolation through four samples (Catmull and Rom 1974) without a low-pass: at a factor above 1 what lies
    above half the rate divided by the factor is folded back, and the highest octave is softened; neither matters for
    factors near 1. Ko et al. 2015, "Audio augmentation for speech recognition", where the factors are 0.9, 1, 1.1.
    Raises ValueError unless 0.1 <= low <= high <= 10 with a thousandth between them.
    """

    def __init__(self, low=0.9, high=1.1, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self._rates = thousandths("low and high", low, high)
        self.low, self.high = low, high

    def stretch(self, waveform, lengths):
        """(batch, samples) and true samples (batch,) -> the same at a random speed."""
        batch, samples = ops.shape(waveform)
        rates = self.draw(batch)
        whole, part = places(self.steps_out(samples), rates)
        a, b, c, d = (take_steps(waveform, whole + i, lengths) for i in (-1, 0, 1, 2))
        slope, bend, twist = c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a
        faster = b + 0.5 * part * (slope + part * (bend + part * twist))
        lengths = new_lengths(lengths, rates)
        return true_only(faster, lengths), lengths

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "low": self.low, "high": self.high}
