"""What the builders share: the base of their configs, sizes, regularization, and masks over time."""

import dataclasses
from typing import Literal

import keras
from keras import layers, ops

from pipelines.layers import sequences


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """An architecture; each adds fields of its own."""

    name: str = ""  # architecture, see `python -m tfrec list`
    weights: str | None = None  # where training starts: imagenet, a run folder, a .weights.h5 file; None is at random


@dataclasses.dataclass(frozen=True)
class ImageModelConfig(ModelConfig):
    """What the published image architectures have in common."""

    stem: Literal["auto", "large", "small"] = "auto"  # small shrinks less at first; auto is small up to 64 pixels
    width_multiplier: float = 1.0  # of the channels of every layer
    depth_multiplier: float = 1.0  # of the blocks of every stage
    dropout: float = 0.0  # fraction, before the logits
    stochastic_depth: float = 0.0  # how often the last residual branch is left out; the others less, linearly

    def __post_init__(self):
        for field in ("width_multiplier", "depth_multiplier"):
            check(getattr(self, field) > 0, f"model.{field} must be above 0", getattr(self, field))
        for field in ("dropout", "stochastic_depth"):
            check(0 <= getattr(self, field) < 1, f"model.{field} must be at least 0 and below 1", getattr(self, field))

    def small_stem(self, input_shape):
        """Whether features (height, width, channels) get the stem for small images."""
        return self.stem == "small" or (self.stem == "auto" and min(input_shape[:2]) <= 64)

    def channels(self, number):
        """Channels of a layer that the paper gives `number`; multiples of 8 when scaled."""
        if self.width_multiplier == 1:
            return number
        return max(8, int(number * self.width_multiplier / 8 + 0.5) * 8)

    def repeats(self, number):
        """Blocks of a stage that the paper gives `number`; at least one."""
        return max(1, round(number * self.depth_multiplier))


def check_image(name, input_shape):
    """Raises ValueError unless the shape is (height, width, channels), all known."""
    check(
        len(input_shape) == 3 and None not in input_shape, f"{name} takes (height, width, channels)", tuple(input_shape)
    )


def check_no_branches(name, config):
    """Raises ValueError for stochastic depth, where there is no residual branch to leave out."""
    rate = config.stochastic_depth
    check(rate == 0, f"{name} has no residual branches for stochastic_depth", rate)


def batch_norm(name, epsilon=1e-3, scale=True):
    """Batch normalization whose moving averages follow within tens of steps, as PyTorch's do.

    The 0.99 and 0.999 of Keras's own networks need thousands of steps, which small sets do not have.
    """
    return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, scale=scale, name=name)


@keras.saving.register_keras_serializable("tfrec")
class StochasticDepth(layers.Layer):
    """Leaves out a residual branch, example by example, in training (Huang et al. 2016, arXiv:1603.09382).

    What is kept is divided by the share that is kept, so that nothing changes in inference. Input and output:
    (batch, ...). Raises ValueError for a rate outside [0, 1).
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        check(0 <= rate < 1, "StochasticDepth's rate must be at least 0 and below 1", rate)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=None):
        """The branch, or zeros."""
        if not training or not self.rate:
            return x
        keep = keras.random.uniform((ops.shape(x)[0], *[1] * (len(x.shape) - 1)), seed=self.seed_generator) >= self.rate
        return x * ops.cast(keep, x.dtype) / (1.0 - self.rate)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def drop_rates(config, blocks):
    """The rate of stochastic depth of each residual block, rising linearly to the config's (section 3 of the paper)."""
    return [config.stochastic_depth * (i + 1) / blocks for i in range(blocks)]


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


def sequence_inputs(input_shape):
    """What a network over (frames, bins) begins with: its inputs, and the features and the mask of what is in a clip.

    The inputs are {"features": (batch, frames, bins), "frames": int32 (batch,)}; the features are 0 past a clip's end,
    whatever was given there; the mask is bool (batch, frames).
    """
    features = keras.Input(input_shape, name="features")
    frames = keras.Input((), dtype="int32", name="frames")
    mask = FrameMask(name="mask")(features, frames)
    return {"features": features, "frames": frames}, MaskFrames(name="clip")(features, mask), mask


@keras.saving.register_keras_serializable("tfrec")
class FrameMask(_MaskLayer):
    """Features (batch, frames, bins) and frame counts (batch,) -> bool (batch, frames), true inside the clip."""

    def call(self, features, frames):
        """True for each frame that a clip really has."""
        return sequences.sequence_mask(frames, ops.shape(features)[1])


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


@keras.saving.register_keras_serializable("tfrec")
class FinalState(_MaskLayer):
    """The state at the end of the reading: (batch, frames, units) and mask (batch, frames) -> (batch, units).

    The end is a clip's last true frame; if `bidirectional`, it is the first for the second half of the units.
    """

    def __init__(self, bidirectional=False, **kwargs):
        super().__init__(**kwargs)
        self.bidirectional = bidirectional

    def call(self, states, keep):
        """The chosen frame of each clip."""
        count = ops.sum(ops.cast(keep, "int32"), axis=1, keepdims=True)
        last = ops.arange(ops.shape(states)[1], dtype="int32")[None, :] == count - 1
        final = ops.sum(ops.where(last[:, :, None], states, ops.zeros((), states.dtype)), axis=1)
        if not self.bidirectional:
            return final
        half = states.shape[-1] // 2
        return ops.concatenate([final[:, :half], states[:, 0, half:]], axis=-1)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "bidirectional": self.bidirectional}
