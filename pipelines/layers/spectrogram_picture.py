"""A spectrogram as a picture, for networks that were made for those."""

import keras
from keras import ops

from pipelines.layers.base import Float32Layer
from pipelines.layers.clip_norm import ClipNorm
from pipelines.layers.fixed_frames import FixedFrames
from pipelines.layers.image_normalize import ImageNormalize

DEVIATIONS = 2.5  # from the mean to black and to white


@keras.saving.register_keras_serializable("pipelines")
class SpectrogramPicture(Float32Layer):
    """Features over time as pictures of one size: each clip stretched or shrunk in time to `frames` frames.

    Input: features (batch, any, bins); `lengths` (batch,), true frames, None for all.
    Output: (batch, `frames`, bins, `channels`), float32, all channels alike.
    `jitter` and `seed` are those of `FixedFrames`.
    With `normalize` None the values are the features'. Any mode of `ImageNormalize` makes a picture in 0..255 of them
    first, the clip's own mean gray and 2.5 of its deviations black or white, and then what the mode makes of a picture:
    so that weights that know photographs meet the range that they were trained on.
    Raises ValueError for fewer than 2 frames, for channels below 1, and for an unknown mode.
    """

    def __init__(self, frames=64, channels=1, normalize=None, jitter=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if channels < 1:
            raise ValueError(f"channels must be at least 1. Received: {channels}")
        self.frames, self.channels, self.normalize = frames, channels, normalize
        self.stretch = FixedFrames(frames, jitter, seed=seed)
        self.clip_norm = None if normalize is None else ClipNorm(per_bin=False)
        self.image_normalize = None if normalize is None else ImageNormalize(normalize)

    def call(self, features, lengths=None, training=None):
        """(batch, any, bins) and true frames (batch,) -> (batch, frames, bins, channels)."""
        if self.normalize is not None:
            features = self.clip_norm(features, lengths)
            features = ops.clip(127.5 * (1.0 + features / DEVIATIONS), 0.0, 255.0)
        x = ops.repeat(self.stretch(features, lengths, training=training)[..., None], self.channels, axis=-1)
        return x if self.normalize is None else self.image_normalize(x)

    def compute_output_shape(self, features_shape):
        """(batch, any, bins) -> (batch, frames, bins, channels)."""
        return features_shape[0], self.frames, features_shape[2], self.channels

    def get_config(self):
        """The constructor's arguments."""
        own = {"frames": self.frames, "channels": self.channels, "normalize": self.normalize}
        return {**super().get_config(), **own, "jitter": self.stretch.jitter, "seed": self.stretch.seed}
