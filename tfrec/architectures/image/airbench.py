"""The convolutional network of airbench (Jordan 2024, arXiv:2404.00498), designed to learn CIFAR-10 in a few epochs."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tfrec.architectures.config import ModelConfig, check, check_image
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("image",)
PARAMETERS = {"image": {"airbench": 2_224_792}}
SEARCH_SPACE = {"width": "*0.5..2:log", "growth": "2..4", "logit_scale": "*0.5..2:log"}


@dataclasses.dataclass(frozen=True)
class Config(ModelConfig):
    """A whitening layer and three blocks, each a pooling between two convolutions (section 3.1).

    The paper trains the biases at 64 times the learning rate (fit.bias_rate), with label smoothing of 0.2, and averages
    the logits of six views of an image; task.test_flip averages two of them.
    """

    width: int = 64  # channels of the first block
    growth: int = 4  # channels of the other two blocks, as a multiple of the first one's
    logit_scale: float = 1 / 9  # factor of the logits


def build(input_shape: Shape, outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) -> logits (batch, outputs).

    Args:
        input_shape: `(height, width, channels)`, at least 18 pixels a side.
        outputs: number of logits.
        config: see `Config`.

    Returns:
        A functional model.

    Raises:
        ValueError: for another shape.
    """
    check_image("airbench", input_shape)
    check(min(side or 0 for side in input_shape[:2]) >= 18, "airbench takes images of at least 18 pixels", input_shape)
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
    logits = layers.Dense(outputs, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="airbench")


def _convolution(x: Tensor, channels: int, name: str) -> Tensor:
    return layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer=DiracUniform(), name=name)(x)


def _norm(x: Tensor, name: str) -> Tensor:
    x = layers.BatchNormalization(momentum=0.6, epsilon=1e-12, scale=False, name=f"{name}_norm")(x)
    return layers.Activation("gelu", name=f"{name}_gelu")(x)


@keras.saving.register_keras_serializable("tfrec")
class Whitening(layers.Layer):
    """A convolution with the principal components of training patches and their negatives (section 3.2).

    (batch, height, width, channels) -> (batch, height - size + 1, width - size + 1, 2 size^2 channels). `adapt` sets
    the kernel so that the outputs are uncorrelated over patches and have unit variance; before, it is a random
    orthogonal one. Only the bias is trained.

    Args:
        size: pixels of a patch's side.
        epsilon: added to the variances.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, size: int, epsilon: float = 5e-4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.epsilon = size, epsilon

    def build(self, input_shape: Shape) -> None:
        """Creates the kernel and the bias."""
        channels = input_shape[-1] or 0
        filters = self.size**2 * channels
        half = (self.size, self.size, channels, filters)
        self.kernel = self.add_weight(half, keras.initializers.Orthogonal(), trainable=False, name="kernel")
        self.bias = self.add_weight((2 * filters,), "zeros", name="bias")

    def adapt(self, images: np.ndarray) -> None:
        """Sets the kernel from images (batch, height, width, channels)."""
        images = np.asarray(images, "float64")
        axes: Any = (1, 2)  # NumPy 1 annotates `axis` as one integer
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.size, self.size), axis=axes)
        patches = np.moveaxis(windows, 3, -1).reshape(-1, self.size**2 * images.shape[-1])
        # As in the paper, the patches are not centered.
        values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
        kernel = vectors / np.sqrt(values + self.epsilon)
        self.kernel.assign(kernel[:, ::-1].reshape(self.kernel.shape))

    def call(self, images: Tensor) -> Tensor:
        """The coordinates of every patch and their negatives."""
        x = ops.conv(images, ops.cast(self.kernel, images.dtype), padding="valid")
        return ops.concatenate([x, -x], axis=-1) + ops.cast(self.bias, x.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("tfrec")
class DiracUniform(keras.initializers.Initializer):
    """Initial kernels (height, width, in, out) of convolutions that pass their input on (section 3.3).

    Filter i is the identity of channel i; the remaining filters are drawn as PyTorch does by default, uniformly within
    1 / sqrt(fan_in).

    Args:
        seed: makes the draws reproducible.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, int, int, int], dtype: str | None = None) -> Tensor:
        """The kernel."""
        height, width, inputs, outputs = shape
        bound = (height * width * inputs) ** -0.5
        kernel = keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=self.seed)
        same = min(inputs, outputs)
        identity = ops.eye(inputs, same, dtype=kernel.dtype)[None, None]
        center = ops.pad(
            identity, ((height // 2, height - 1 - height // 2), (width // 2, width - 1 - width // 2), (0, 0), (0, 0))
        )
        return ops.concatenate([center, kernel[..., same:]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"seed": self.seed}
