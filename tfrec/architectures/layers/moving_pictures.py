"""Moving pictures that go with a clip: one network for every picture, and the picture that is shown at each step."""

import keras
from keras import layers, ops

from tfrec.architectures.layers.masking import ExplicitMaskLayer
from tfrec.architectures.types import Tensor


@keras.saving.register_keras_serializable("tfrec")
class EachPicture(layers.Layer):
    """Moving pictures as one batch of pictures, which a network for images reads; `TimeDistributed` without a loop.

    Pictures that no frame shows, such as padding, become the last one that is shown, so that they do not change batch
    statistics by much and never count.
    """

    def build(self, video_shape: Tensor, shown_shape: Tensor, frames_shape: Tensor) -> None:
        """Does nothing: the layer has no weights."""

    def call(self, video: Tensor, shown: Tensor, frames: Tensor) -> Tensor:
        """Puts the pictures of the batch into a row.

        Args:
            video: (batch, pictures, height, width, channels).
            shown: int32 (batch, frames), the number of the picture at each frame of the clip, or -1.
            frames: int32 (batch,), the true number of frames.

        Returns:
            (batch * pictures, height, width, channels).
        """
        batch, pictures = ops.shape(video)[:2]
        inside = ops.arange(ops.shape(shown)[1], dtype="int32")[None] < frames[:, None]
        last = ops.max(ops.where(inside, shown, -1), axis=1, keepdims=True)
        numbers = ops.minimum(ops.arange(pictures, dtype="int32")[None], ops.maximum(last, 0))
        row = ops.arange(batch, dtype="int32")[:, None] * pictures + numbers
        return ops.take(ops.reshape(video, (-1, *video.shape[2:])), ops.reshape(row, (-1,)), axis=0)

    def compute_output_shape(self, video_shape: Tensor, shown_shape: Tensor, frames_shape: Tensor) -> Tensor:
        """(any number of pictures, height, width, channels)."""
        return (None, *video_shape[2:])


@keras.saving.register_keras_serializable("tfrec")
class ShownPicture(ExplicitMaskLayer):
    """The features of the picture that is shown in the middle of each step of a clip."""

    def build(self, x_shape: Tensor, shown_shape: Tensor, frames_shape: Tensor, keep_shape: Tensor) -> None:
        """Does nothing: the layer has no weights."""

    def call(self, x: Tensor, shown: Tensor, frames: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Looks up the features.

        Step j of n steps covers the frames from j / n to (j + 1) / n of the clip, whatever the padding.

        Args:
            x: (batch * pictures, units), of each picture.
            shown: int32 (batch, frames), the number of the picture at each frame, or -1.
            frames: int32 (batch,), the true number of frames.
            keep: bool (batch, steps), true inside the clip.

        Returns:
            (batch, steps, units), 0 where no picture is shown; and bool (batch, steps), true where one is.
        """
        batch, longest = ops.shape(shown)[:2]
        pictures = ops.shape(x)[0] // batch
        steps = ops.maximum(ops.sum(ops.cast(keep, "int64"), axis=1, keepdims=True), 1)
        numbers = ops.arange(ops.shape(keep)[1], dtype="int32")[None]
        middles = (2 * ops.cast(numbers, "int64") + 1) * ops.cast(frames, "int64")[:, None] // (2 * steps)
        rows = ops.arange(batch, dtype="int32")[:, None]
        middles = ops.clip(ops.cast(middles, "int32"), 0, longest - 1)
        picture = ops.take(ops.reshape(shown, (-1,)), rows * longest + middles)
        is_shown = ops.logical_and(picture >= 0, keep)
        found = ops.take(x, rows * pictures + ops.clip(picture, 0, pictures - 1), axis=0)
        return ops.where(is_shown[:, :, None], found, ops.zeros((), x.dtype)), is_shown

    def compute_output_shape(
        self, x_shape: Tensor, shown_shape: Tensor, frames_shape: Tensor, keep_shape: Tensor
    ) -> Tensor:
        """The shapes of features and mask."""
        return (*keep_shape, x_shape[-1]), keep_shape


@keras.saving.register_keras_serializable("tfrec")
class GivenSteps(ExplicitMaskLayer):
    """What is given at each step of a clip: a picture, sound, or both."""

    def build(self, given_shape: Tensor, is_shown_shape: Tensor, has_audio_shape: Tensor, keep_shape: Tensor) -> None:
        """Does nothing: the layer has no weights."""

    def call(self, given: Tensor, is_shown: Tensor, has_audio: Tensor, keep: Tensor) -> Tensor:
        """Combines the masks.

        Args:
            given: bool (batch, 2), false for inputs that modality dropout has dropped.
            is_shown: bool (batch, steps), true where a picture is shown.
            has_audio: int32 (batch,), 1 where there is a clip.
            keep: bool (batch, steps), true inside the clip.

        Returns:
            bool (batch, steps, 2), of the picture and of the sound.
        """
        is_given = ops.logical_and(keep, has_audio[:, None] > 0)
        return ops.logical_and(ops.stack([is_shown, is_given], axis=-1), given[:, None])

    def compute_output_shape(
        self, given_shape: Tensor, is_shown_shape: Tensor, has_audio_shape: Tensor, keep_shape: Tensor
    ) -> Tensor:
        """(batch, steps, 2)."""
        return (*keep_shape, 2)
