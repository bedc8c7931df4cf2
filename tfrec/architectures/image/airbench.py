"""The convolutional network of airbench (Jordan 2024, arXiv:2404.00498), made to learn CIFAR-10 in a few epochs."""

import dataclasses

import keras
import numpy as np
from keras import layers, ops

from tfrec.architectures.base import ModelConfig, check, check_image

TAKES = ("image",)


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """A whitening layer and three blocks, each a pooling between two convolutions (section 3.1).

    The paper trains the biases at 64 times the learning rate (fit.bias_rate), with label smoothing of 0.2, and answers
    by six looks at a picture; task.test_flip gives two of them.
    """

    width: int = 64  # channels of the first block
    growth: int = 4  # channels of the other two, as a multiple of the first's
    logit_scale: float = 1 / 9  # of the logits


def build(input_shape, num_classes, config):
    """Images (batch, height, width, channels) -> logits (batch, num_classes).

    `input_shape` is `(height, width, channels)`, of at least 18 pixels a side. Raises ValueError for another shape.
    """
    check_image("airbench", input_shape)
    check(min(input_shape[:2]) >= 18, "airbench takes images of at least 18 pixels", input_shape)
    check(config.width > 0 and config.growth > 0, "airbench's sizes must be positive", config)
    features = keras.Input(input_shape, name="features")
    x = Whitening(2, name="stem_whiten")(features)
    x = layers.Activation("gelu", name="stem_gelu")(x)
    for i, channels in enumerate((config.width, config.width * config.growth, config.width * config.growth)):
        x = _convolution(x, channels, f"block{i}_conv1")
        x = layers.MaxPooling2D(2, name=f"block{i}_pool")(x)
        x = _norm(x, f"block{i}_1")
        x = _convolution(x, channels, f"block{i}_conv2")
        x = _norm(x, f"block{i}_2")
    x = layers.GlobalMaxPooling2D(name="embedding")(x)
    x = layers.Rescaling(config.logit_scale, name="scale")(x)
    logits = layers.Dense(num_classes, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="airbench")


def _convolution(x, channels, name):
    return layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer=DiracUniform(), name=name)(x)


def _norm(x, name):
    x = layers.BatchNormalization(momentum=0.6, epsilon=1e-12, scale=False, name=f"{name}_norm")(x)
    return layers.Activation("gelu", name=f"{name}_gelu")(x)


@keras.saving.register_keras_serializable("tfrec")
class Whitening(layers.Layer):
    """A convolution by the principal patches of the training images and their negatives (section 3.2).

    Input: (batch, height, width, channels). Output: (batch, height - size + 1, width - size + 1,
    2 size^2 channels). `adapt` sets the kernel, so that over patches the outputs are uncorrelated and of unit variance;
    only the bias is trained. Before, the kernel is orthogonal at random.
    """

    def __init__(self, size, epsilon=5e-4, **kwargs):
        super().__init__(**kwargs)
        self.size, self.epsilon = size, epsilon

    def build(self, input_shape):
        """Makes the kernel and the bias."""
        channels = input_shape[-1]
        filters = self.size**2 * channels
        half = (self.size, self.size, channels, filters)
        self.kernel = self.add_weight(half, keras.initializers.Orthogonal(), trainable=False, name="kernel")
        self.bias = self.add_weight((2 * filters,), "zeros", name="bias")

    def adapt(self, images):
        """Sets the kernel from images (batch, height, width, channels)."""
        images = np.asarray(images, "float64")
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.size, self.size), axis=(1, 2))
        patches = np.moveaxis(windows, 3, -1).reshape(-1, self.size**2 * images.shape[-1])
        values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))  # as the paper: of the uncenterd patches
        kernel = vectors / np.sqrt(values + self.epsilon)
        self.kernel.assign(kernel[:, ::-1].reshape(self.kernel.shape))

    def call(self, images):
        """Every patch in the coordinates of the principal ones, and their negatives."""
        x = ops.conv(images, ops.cast(self.kernel, images.dtype), padding="valid")
        return ops.concatenate([x, -x], axis=-1) + ops.cast(self.bias, x.dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("tfrec")
class DiracUniform(keras.initializers.Initializer):
    """A convolution that at first hands its input on (section 3.3), for kernels (height, width, in, out).

    Filter i is the identity of channel i; the rest are random by PyTorch's default, uniform within 1 / sqrt(fan_in).
    """

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        """The kernel."""
        height, width, inputs, outputs = shape
        bound = (height * width * inputs) ** -0.5
        kernel = keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=self.seed)
        same = min(inputs, outputs)
        identity = keras.ops.eye(inputs, same, dtype=kernel.dtype)[None, None]
        center = keras.ops.pad(
            identity, ((height // 2, height - 1 - height // 2), (width // 2, width - 1 - width // 2), (0, 0), (0, 0))
        )
        return keras.ops.concatenate([center, kernel[..., same:]], axis=-1)

    def get_config(self):
        """The constructor's arguments."""
        return {"seed": self.seed}
