"""What the builders share: their config's base, and masks over time."""

import dataclasses

import keras
from keras import layers, ops

from pipelines.layers import sequences


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """An architecture; each adds fields of its own."""

    name: str = ""  # architecture, see `python -m tfrec.list`


def check(condition, rule, received):
    """Raises ValueError with the rule and what was received, unless the condition holds."""
    if not condition:
        raise ValueError(f"{rule}. Received: {received}")


class _MaskLayer(layers.Layer):
    """A layer that is given its mask as an input of its own; Keras's implicit masks end here."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        """None: nothing downstream reads implicit masks."""
        return None


@keras.saving.register_keras_serializable("tfrec")
class FrameMask(_MaskLayer):
    """Features (batch, frames, bins) and frame counts (batch,) -> bool (batch, frames), true inside the clip."""

    def call(self, features, frames):
        """True for each frame that a clip really has."""
        return sequences.mask(frames, ops.shape(features)[1])


@keras.saving.register_keras_serializable("tfrec")
class MaskFrames(_MaskLayer):
    """Sets what lies past a clip's end to 0: (batch, frames, ...) and (batch, frames) -> same shape as the first.

    A convolution then sees past the end just what it sees past the edge of an unpadded clip.
    """

    def call(self, x, keep):
        """Zeroes the padded frames."""
        shape = (*ops.shape(keep), *([1] * (len(x.shape) - 2)))
        return ops.where(ops.reshape(keep, shape), x, ops.zeros((), x.dtype))  # a product would keep NaN


@keras.saving.register_keras_serializable("tfrec")
class StrideMask(_MaskLayer):
    """The mask after a pooling of that stride over time: (batch, frames) -> (batch, ceil(frames / stride))."""

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, keep):
        """Keeps every `stride`-th frame."""
        return keep[:, :: self.stride]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("tfrec")
class MaskedMean(_MaskLayer):
    """Mean over the frames that a clip really has: (batch, frames, units) and (batch, frames) -> (batch, units)."""

    def call(self, x, keep):
        """Sum over true frames divided by their number."""
        weights = ops.cast(keep, "float32")[:, :, None]
        total = ops.sum(ops.cast(x, "float32") * weights, axis=1)
        return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), x.dtype)
