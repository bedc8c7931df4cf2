"""Positions of tokens: sinusoids (Vaswani et al. 2017, arXiv:1706.03762) and learned embeddings of a grid."""

import math
from typing import Any

import keras
import numpy as np
from keras import initializers, layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.types import Shape, Tensor


def sinusoids(places: Tensor, units: int) -> Tensor:
    """Sines and cosines of positions, at wavelengths from 2 pi to 10,000 x 2 pi (section 3.5 of the paper).

    Args:
        places: (n,), any numbers.
        units: even number of sines and cosines of each position.

    Returns:
        float32 (n, units), all sines before all cosines.
    """
    rates = 10000.0 ** (-np.arange(units // 2, dtype="float32") * 2 / units)
    angles = ops.cast(places, "float32")[:, None] * rates[None, :]
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


@keras.saving.register_keras_serializable("tfrec")
class SinusoidalPosition(layers.Layer):
    """Adds the sinusoids of each token's position: (batch, tokens, units) -> the same shape, for any length.

    Raises:
        ValueError: when it is built for an odd number of units.
    """

    def build(self, x_shape: Shape) -> None:
        """Checks the units."""
        check((x_shape[-1] or 0) % 2 == 0, "SinusoidalPosition takes an even number of units", x_shape[-1])

    def call(self, x: Tensor) -> Tensor:
        """Tokens plus sinusoids."""
        return x + ops.cast(sinusoids(ops.arange(ops.shape(x)[1]), x.shape[-1]), x.dtype)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """The input's shape."""
        return x_shape


@keras.saving.register_keras_serializable("tfrec")
class PositionEmbedding(layers.Layer):
    """Adds a learned vector of each position: tokens (batch, `prefix` + rows x columns, units) -> the same shape.

    Args:
        grid: (rows, columns); the tokens are in row-major order.
        prefix: number of tokens before the grid, such as one class token, with positions of their own.
        stddev: standard deviation of the initial weights.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: when it is built for another number of tokens.
    """

    def __init__(self, grid: tuple[int, int], prefix: int = 0, stddev: float = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid, self.prefix, self.stddev = tuple(grid), prefix, stddev

    def build(self, x_shape: Shape) -> None:
        """Creates the embedding."""
        tokens = self.prefix + math.prod(self.grid)
        check(x_shape[1] == tokens, f"PositionEmbedding of this grid takes {tokens} tokens", x_shape[1])
        start = initializers.TruncatedNormal(stddev=self.stddev)
        self.embedding = self.add_weight(shape=(tokens, x_shape[-1]), initializer=start, name="embedding")

    def call(self, x: Tensor) -> Tensor:
        """Tokens plus embedding."""
        return x + self.embedding

    def resize_weight(self, array: np.ndarray) -> np.ndarray:
        """Resamples the embedding of a layer with another grid to this layer's grid.

        An image of another size shows the same picture in more or fewer patches, so that the new positions lie between
        the old ones (arXiv:2010.11929, section 3.2).

        Args:
            array: (tokens, units), whose grid is assumed to be square.

        Returns:
            (tokens, units) of this layer.

        Raises:
            ValueError: for a grid that cannot be square, or another number of units.
        """
        array = np.asarray(array)
        units = self.embedding.shape[-1]
        check(
            array.ndim == 2 and array.shape[1] == units,
            f"A position embedding to resize must be (tokens, {units})",
            array.shape,
        )
        side = math.isqrt(max(0, len(array) - self.prefix))
        check(
            side > 0 and side * side == len(array) - self.prefix,
            f"A position embedding to resize must have {self.prefix} tokens and then a square of tokens",
            array.shape,
        )
        places = array[self.prefix :].reshape(side, side, units)
        places = resize_grid(places, self.grid, "bicubic").reshape(-1, units)
        return np.concatenate([array[: self.prefix], places]).astype(array.dtype)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """The input's shape."""
        return x_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "grid": self.grid, "prefix": self.prefix, "stddev": self.stddev}


def resize_grid(array: np.ndarray, grid: tuple[int, ...], interpolation: str) -> np.ndarray:
    """Resamples an array to another grid, with antialiasing where that is smaller.

    Args:
        array: (rows, columns, n).
        grid: the new rows and columns.
        interpolation: as `keras.ops.image.resize` names it.

    Returns:
        float32 (*grid, n).
    """
    tensor = ops.convert_to_tensor(array[None], "float32")
    result = ops.image.resize(tensor, grid, interpolation=interpolation, antialias=True, data_format="channels_last")
    return ops.convert_to_numpy(result)[0]
