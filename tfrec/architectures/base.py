"""What the builders share: their config's base, and masks over time."""

import dataclasses

import keras
from keras import layers, ops


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """An architecture; each adds fields of its own."""

    name: str = ""  # architecture, see `python -m tfrec.list`


def check(condition, rule, received):
    """Raises ValueError with the rule and what was received, unless the condition holds."""
    if not condition:
        raise ValueError(f"{rule}. Received: {received}")


@keras.saving.register_keras_serializable("tfrec")
class FrameMask(layers.Layer):
    """Features (batch, frames, bins) and frame counts (batch,) -> bool (batch, frames), true inside the clip."""

    def call(self, features, frames):
        """True for each frame that a clip really has."""
        return ops.arange(ops.shape(features)[1])[None] < ops.cast(frames, "int32")[:, None]


@keras.saving.register_keras_serializable("tfrec")
class MaskFrames(layers.Layer):
    """Sets what lies past a clip's end to 0: (batch, frames, ...) and mask (batch, frames) -> same shape.

    A convolution then sees past the end just what it sees past the edge of an unpadded clip.
    """

    def call(self, x, mask):
        """Zeroes the padded frames."""
        shape = (*ops.shape(mask), *([1] * (len(x.shape) - 2)))
        return x * ops.cast(ops.reshape(mask, shape), x.dtype)


@keras.saving.register_keras_serializable("tfrec")
class StrideMask(layers.Layer):
    """The mask after a "same" convolution or pooling over time: (batch, frames) -> (batch, ceil(frames / stride))."""

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, mask):
        """Keeps every `stride`-th frame."""
        return mask[:, :: self.stride]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("tfrec")
class MaskedMean(layers.Layer):
    """Mean over the frames that a clip really has: (batch, frames, units) and mask -> (batch, units)."""

    def call(self, x, mask):
        """Sum over true frames divided by their number."""
        weights = ops.cast(mask, "float32")[:, :, None]
        total = ops.sum(ops.cast(x, "float32") * weights, axis=1)
        return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), x.dtype)
