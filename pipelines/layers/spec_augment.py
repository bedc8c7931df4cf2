"""Masks over time and frequency."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Tensor
from pipelines.layers.sequences import random_integers, valid_lengths, zero_padding


@keras.saving.register_keras_serializable("pipelines")
class SpecAugment(RandomLayer):
    """Masks random bands and stretches of each clip's features; only with `training=True`.

    Masked values become the clip's mean over its valid frames and all bins: the paper's 0 where features are
    normalized, and no loud noise where they are not. Widths are uniform; masks lie inside the clip and may overlap. The
    defaults are the paper's LibriSpeech double. Park et al. 2019, arXiv:1904.08779, without its time warping.

    Args:
        frequency_masks: Number of masks over frequency.
        frequency_width: Maximum width of a mask over frequency, bins.
        time_masks: Number of masks over time.
        time_width: Maximum width of a mask over time, frames.
        max_time_fraction: Maximum fraction of the clip's valid frames that one mask over time covers, from 0 to 1.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        strength (keras.Variable | None): Factor of both maximum widths, see `make_scalable`.

    Raises:
        ValueError: A count or a width is negative, or the fraction is outside 0 to 1.
    """

    def __init__(
        self,
        frequency_masks: int = 2,
        frequency_width: int = 27,
        time_masks: int = 2,
        time_width: int = 100,
        max_time_fraction: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.frequency_masks, self.frequency_width = frequency_masks, frequency_width
        self.time_masks, self.time_width, self.max_time_fraction = time_masks, time_width, max_time_fraction
        for name in ("frequency_masks", "frequency_width", "time_masks", "time_width"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative. Received: {getattr(self, name)}")
        if not 0 <= max_time_fraction <= 1:
            raise ValueError(f"max_time_fraction must be from 0 to 1. Received: {max_time_fraction}")
        self.strength: keras.Variable | None = None

    def make_scalable(self) -> None:
        """Creates the variable `strength`, which multiplies both maximum widths and is 1 until assigned."""
        self.strength = keras.Variable(1.0, trainable=False, name="strength")

    def call(self, features: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Masks features.

        Args:
            features: `(batch, frames, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.
            training: Masks only if True; otherwise returns the features as they are.

        Returns:
            `(batch, frames, bins)`, float32; 0 in the padding.

        Raises:
            ValueError: `frequency_width` is above the number of bins.
        """
        bins = features.shape[2]
        if self.frequency_width > bins:
            raise ValueError(f"frequency_width must not be above the {bins} bins. Received: {self.frequency_width}")
        if not training:
            return features
        batch, frames = ops.shape(features)[:2]
        features = zero_padding(features, lengths)
        valid_frames = valid_lengths(features, lengths)[:, None]
        count = ops.cast(ops.maximum(valid_frames, 1), "float32") * bins
        mean = ops.sum(features, axis=(1, 2))[:, None] / count

        longest = ops.cast(ops.cast(valid_frames, "float32") * self.max_time_fraction, "int32")
        time_width = self._scaled(ops.minimum(longest, self.time_width))
        masked_frames = self._masks((batch, self.time_masks), time_width, valid_frames, frames)
        masked_bins = self._masks((batch, self.frequency_masks), self._scaled(self.frequency_width), bins, bins)
        masked = ops.logical_or(masked_frames[:, :, None], masked_bins[:, None, :])
        return zero_padding(ops.where(masked, mean[:, :, None], features), lengths)

    def _scaled(self, width: Tensor) -> Tensor:
        """A maximum width times `strength`, rounded."""
        return width if self.strength is None else ops.cast(ops.cast(width, "float32") * self.strength + 0.5, "int32")

    def _masks(self, shape: tuple[Tensor, int], max_width: Tensor, room: Tensor, steps: Tensor) -> Tensor:
        """(batch, steps) booleans, True under any of (batch, masks) masks of 0 to `max_width` steps inside `room`."""
        width = random_integers(shape, max_width + 1, self.seed_generator)
        start = random_integers(shape, room - width + 1, self.seed_generator)
        step = ops.arange(steps, dtype="int32")[None, None, :]
        inside = ops.logical_and(step >= start[:, :, None], step < (start + width)[:, :, None])
        return ops.any(inside, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("frequency_masks", "frequency_width", "time_masks", "time_width", "max_time_fraction")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
