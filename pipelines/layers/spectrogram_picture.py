"""Spectrograms as images, for image networks."""

from typing import Any

import keras
from keras import ops

from pipelines.layers.base import Float32Layer, Shape, Tensor
from pipelines.layers.clip_norm import ClipNorm
from pipelines.layers.fixed_frames import FixedFrames
from pipelines.layers.image_normalize import ImageNormalize

DEVIATIONS = 2.5  # from the mean to black and to white


@keras.saving.register_keras_serializable("pipelines")
class SpectrogramPicture(Float32Layer):
    """Features over time as images of one size, each clip stretched or shrunk in time to `frames` frames.

    With `normalize` the features first become an image in [0, 255]: the clip's mean is gray, and `DEVIATIONS` standard
    deviations are black or white. `ImageNormalize` then normalizes that, so that weights pretrained on photographs get
    the range that they were trained on.

    Args:
        frames: Frames of the image, at least 2.
        channels: Channels of the image, at least 1, all alike.
        normalize: A mode of `ImageNormalize`, or None for the features' own values.
        jitter: See `FixedFrames`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `frames`, `channels` or `jitter` is outside its range, or the mode is unknown.
    """

    def __init__(
        self,
        frames: int = 64,
        channels: int = 1,
        normalize: str | None = None,
        jitter: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if channels < 1:
            raise ValueError(f"channels must be at least 1. Received: {channels}")
        self.frames, self.channels, self.normalize = frames, channels, normalize
        self.stretch = FixedFrames(frames, jitter, seed=seed)
        self.clip_norm = None if normalize is None else ClipNorm(per_bin=False)
        self.image_normalize = None if normalize is None else ImageNormalize(normalize)

    def call(self, features: Tensor, lengths: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Turns features into images.

        Args:
            features: `(batch, any, bins)`.
            lengths: Valid frames, `(batch,)`; None is all.
            training: Applies the jitter only if True.

        Returns:
            `(batch, frames, bins, channels)`, float32.
        """
        if self.clip_norm is not None:
            features = self.clip_norm(features, lengths)
            features = ops.clip(127.5 * (1.0 + features / DEVIATIONS), 0.0, 255.0)
        x = ops.repeat(self.stretch(features, lengths, training=training)[..., None], self.channels, axis=-1)
        return x if self.image_normalize is None else self.image_normalize(x)

    def compute_output_shape(self, features_shape: Shape) -> Shape:
        """(batch, any, bins) -> (batch, frames, bins, channels)."""
        return features_shape[0], self.frames, features_shape[2], self.channels

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"frames": self.frames, "channels": self.channels, "normalize": self.normalize}
        return {**super().get_config(), **own, "jitter": self.stretch.jitter, "seed": self.stretch.seed}
