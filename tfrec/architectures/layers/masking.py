"""Masks over time as tensors of their own: which frames belong to a clip and which are padding."""

from typing import Any

import keras
from keras import layers, ops

from pipelines.layers import sequences
from tfrec.architectures.types import Shape, Tensor


class ExplicitMaskLayer(layers.Layer):
    """Base of layers that take their mask as an input; Keras's implicit masks end here."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> None:
        """None: no later layer reads an implicit mask."""
        return None


def sequence_inputs(input_shape: Shape) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The first layers of a network over sequences.

    Args:
        input_shape: `(frames, bins)`; `frames` may be None.

    Returns:
        The inputs {"features": (batch, frames, bins), "frames": int32 (batch,)}; the features, set to 0 past each
        clip's end; and the mask, bool (batch, frames), true inside the clip.
    """
    features = keras.Input(input_shape, name="features")
    frames = keras.Input((), dtype="int32", name="frames")
    mask = FrameMask(name="mask")(features, frames)
    return {"features": features, "frames": frames}, MaskFrames(name="clip")(features, mask), mask


@keras.saving.register_keras_serializable("tfrec")
class FrameMask(ExplicitMaskLayer):
    """Features (batch, frames, bins) and frame counts (batch,) -> bool (batch, frames), true inside the clip."""

    def call(self, features: Tensor, frames: Tensor) -> Tensor:
        """Compares each frame's index with the clip's length."""
        return sequences.sequence_mask(frames, ops.shape(features)[1])


@keras.saving.register_keras_serializable("tfrec")
class MaskFrames(ExplicitMaskLayer):
    """Sets frames past a clip's end to 0: (batch, frames, ...) and mask (batch, frames) -> shape of the first.

    A convolution then reads past the end what it reads past the edge of an unpadded clip.
    """

    def call(self, x: Tensor, keep: Tensor) -> Tensor:
        """Selects, since a product with the mask would keep NaN."""
        for _ in x.shape[2:]:
            keep = ops.expand_dims(keep, -1)
        return ops.where(keep, x, ops.zeros((), x.dtype))


@keras.saving.register_keras_serializable("tfrec")
class StrideMask(ExplicitMaskLayer):
    """The mask after a layer that strides over time: bool (batch, frames) -> (batch, ceil(frames / stride)).

    Args:
        stride: frames per step.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, keep: Tensor) -> Tensor:
        """Keeps every `stride`-th frame."""
        return keep[:, :: self.stride]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "stride": self.stride}


def stack_frames(x: Tensor, step: int) -> Tensor:
    """Frames by step: (batch, frames, bins) -> (batch, ceil(frames / step), step * bins), with 0 past the end."""
    batch, frames, bins = ops.shape(x)
    steps = -(-frames // step)
    padded = ops.pad(x, [[0, 0], [0, step - 1], [0, 0]])[:, : steps * step]
    return ops.reshape(padded, (batch, steps, step * bins))
