"""Patches of pictures: hiding some, encoding the others, and a decoder for all (MAE, He et al. 2021, arXiv:2111.06377).

Patches are squares in a grid, numbered row by row.
"""

import math
from typing import Any

import keras
from keras import layers, ops, random

from tfrec.architectures.config import check
from tfrec.architectures.layers.attention import num_heads, truncated_normal
from tfrec.architectures.layers.positions import PositionEmbedding
from tfrec.architectures.layers.transformer_block import transformer_block
from tfrec.architectures.types import Shape, Tensor

EPSILON = 1e-6
DECODER_HEAD = 32  # units of each head of the decoder's attention


def split_image(images: Tensor, side: int) -> Tensor:
    """Pixels by patch: (batch, height, width, channels) -> (batch, patches, side * side * channels)."""
    height, width, channels = images.shape[1:]
    rows, columns = height // side, width // side
    x = ops.reshape(images, (-1, rows, side, columns, side, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, rows * columns, side * side * channels))


def join_patches(patches: Tensor, side: int, image_shape: tuple[int, int, int]) -> Tensor:
    """The inverse of `split_image`: (batch, patches, side * side * channels) -> (batch, *image_shape)."""
    height, width, channels = image_shape
    x = ops.reshape(patches, (-1, height // side, width // side, side, side, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


@keras.saving.register_keras_serializable("tfrec")
class HiddenPatches(layers.Layer):
    """Hides random patches of pictures, and returns what they hold.

    (batch, height, width, channels) -> features, and targets {"pixels": (batch, cells, cell * cell * channels),
    "hidden": float32 (batch, cells), 1 for the cells of hidden patches, else 0}. The features are {"features": the
    pictures, "visible": int32 (batch, patches), the places of the patches that are not hidden} for an encoder of
    patches, or else the pictures with hidden patches set to 0.

    Args:
        side: of a patch, in pixels.
        cell: side of the squares in which pixels are returned; it divides `side`.
        fraction: of the patches that are hidden; at least one is, and at least one is not.
        normalize: whether the pixels of each patch are returned with mean 0 and variance 1.
        lists: whether visible patches are listed, rather than hidden ones set to 0.
        seed: of the choice of patches.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: where patches do not fit into pictures, or are fewer than two.
    """

    def __init__(
        self,
        side: int,
        cell: int | None = None,
        fraction: float = 0.75,
        normalize: bool = False,
        lists: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"name": "hidden_patches", **kwargs, "dtype": "float32"})
        cell = side if cell is None else cell
        check(side > 0 and cell > 0 and side % cell == 0, "HiddenPatches' cell must divide its side", (side, cell))
        check(0 < fraction < 1, "HiddenPatches' fraction must be above 0 and below 1", fraction)
        self.side, self.cell, self.fraction, self.normalize, self.lists = side, cell, fraction, normalize, lists
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def grid(self, image_shape: Shape) -> tuple[int, int]:
        """Rows and columns of the patches of pictures (height, width, channels); ValueError where they do not fit."""
        rows, columns = ((size or 0) // self.side for size in image_shape[:2])
        fits = (rows * self.side, columns * self.side) == tuple(image_shape[:2])
        check(
            fits and rows * columns > 1, f"Patches of {self.side} pixels must divide pictures", tuple(image_shape[:2])
        )
        return rows, columns

    def call(self, images: Tensor) -> tuple[Any, dict[str, Tensor]]:
        """Chooses other patches at each call."""
        rows, columns = self.grid(images.shape[1:])
        order = ops.argsort(random.uniform((ops.shape(images)[0], rows * columns), seed=self.seed_generator), axis=1)
        visible = ops.cast(order[:, : self.kept(rows * columns)], "int32")
        hidden = 1.0 - ops.sum(ops.one_hot(visible, rows * columns), axis=1)
        # A cell is hidden with its patch.
        times = self.side // self.cell
        squares = ops.reshape(hidden, (-1, rows, columns))
        cells = ops.repeat(ops.repeat(squares, times, axis=1), times, axis=2)
        targets = {"pixels": self._pixels(images), "hidden": ops.reshape(cells, (-1, rows * columns * times**2))}
        if self.lists:
            return {"features": images, "visible": visible}, targets
        is_hidden = ops.repeat(ops.repeat(cells, self.cell, axis=1), self.cell, axis=2)[..., None] > 0
        return ops.where(is_hidden, 0.0, images), targets

    def kept(self, patches: int) -> int:
        """How many of a picture's patches stay visible."""
        return min(max(1, round((1 - self.fraction) * patches)), patches - 1)

    def _pixels(self, images: Tensor) -> Tensor:
        """Pixels by cell; normalized ones by the mean and the variance of their patch, as in the paper."""
        if self.normalize:
            patches = split_image(images, self.side)
            mean = ops.mean(patches, axis=-1, keepdims=True)
            deviation = ops.sqrt(ops.var(patches, axis=-1, keepdims=True) + EPSILON)
            images = join_patches((patches - mean) / deviation, self.side, images.shape[1:])
        return split_image(images, self.cell)

    def compute_output_spec(self, images: Any) -> tuple[Any, dict[str, Any]]:
        """Shapes of what `call` returns."""
        batch, height, width, channels = images.shape
        rows, columns = self.grid((height, width, channels))
        cells = (height // self.cell) * (width // self.cell)
        targets = {
            "pixels": keras.KerasTensor((batch, cells, self.cell**2 * channels)),
            "hidden": keras.KerasTensor((batch, cells)),
        }
        same = keras.KerasTensor(images.shape, images.dtype)
        if not self.lists:
            return same, targets
        return {"features": same, "visible": keras.KerasTensor((batch, self.kept(rows * columns)), "int32")}, targets

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        names = ("side", "cell", "fraction", "normalize", "lists", "seed")
        return {**layer, **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("tfrec")
class VisibleTokens(layers.Layer):
    """Selects the class token and the tokens of some patches.

    (batch, 1 + patches, units) and places int32 (batch, n) -> (batch, 1 + n, units).
    """

    def call(self, x: Tensor, visible: Tensor) -> Tensor:
        """Patch i is token i + 1."""
        places = ops.pad(visible + 1, ((0, 0), (1, 0)))
        return ops.take_along_axis(x, places[:, :, None], axis=1)

    def compute_output_shape(self, x_shape: Shape, visible_shape: Shape) -> Shape:
        """One token more than places."""
        count = visible_shape[1]
        return (x_shape[0], None if count is None else count + 1, x_shape[2])


@keras.saving.register_keras_serializable("tfrec")
class EveryPatch(layers.Layer):
    """The places of all patches of each picture: (batch, height, width, channels) -> int32 (batch, patches).

    Args:
        patches: number of patches.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, patches: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patches = patches

    def call(self, images: Tensor) -> Tensor:
        """The same places for each picture."""
        return ops.broadcast_to(ops.arange(self.patches, dtype="int32"), (ops.shape(images)[0], self.patches))

    def compute_output_spec(self, images: Any) -> Any:
        """int32 (batch, patches)."""
        return keras.KerasTensor((images.shape[0], self.patches), "int32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "patches": self.patches}


@keras.saving.register_keras_serializable("tfrec")
class RestorePatches(layers.Layer):
    """Puts the tokens of visible patches back to their places, and a learned token to all others.

    (batch, 1 + n, units) and places int32 (batch, n) -> (batch, 1 + patches, units), the class token first.

    Args:
        patches: number of patches.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, patches: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patches = patches

    def build(self, x_shape: Shape, visible_shape: Shape) -> None:
        """Creates the token."""
        self.token = self.add_weight(shape=(x_shape[-1],), initializer=truncated_normal(), name="token")

    def call(self, x: Tensor, visible: Tensor) -> Tensor:
        """A product with 0 and 1, whose gradient is the same on every device."""
        places = ops.one_hot(visible, self.patches, dtype=x.dtype)  # (batch, n, patches)
        is_hidden = 1 - ops.sum(places, axis=1)
        patches = ops.matmul(ops.swapaxes(places, 1, 2), x[:, 1:]) + is_hidden[:, :, None] * self.token
        return ops.concatenate([x[:, :1], patches], axis=1)

    def compute_output_shape(self, x_shape: Shape, visible_shape: Shape) -> Shape:
        """One token more than patches."""
        return (x_shape[0], self.patches + 1, x_shape[2])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "patches": self.patches}


def decode_patches(
    x: Tensor, visible: Tensor, grid: tuple[int, int], width: int, depth: int, values: int, name: str = "decoder"
) -> Tensor:
    """A light Transformer from the tokens of visible patches to the pixels of all (section 3 of the paper).

    Its positions are learned; those of the paper are sinusoids.

    Args:
        x: the class token and those of visible patches (batch, 1 + n, units).
        visible: their places, int32 (batch, n).
        grid: rows and columns of the patches.
        width: units of the decoder's tokens.
        depth: number of its blocks.
        values: that it predicts for each patch.
        name: start of the layers' names.

    Returns:
        float32 (batch, patches, values).
    """
    patches = math.prod(grid)
    x = layers.Dense(width, kernel_initializer=truncated_normal(), name=f"{name}_project")(x)
    x = RestorePatches(patches, name=f"{name}_restore")(x, visible)
    x = PositionEmbedding(grid, prefix=1, name=f"{name}_position")(x)
    attention = {"heads": num_heads(width, DECODER_HEAD), "size": DECODER_HEAD}
    for i in range(depth):
        x = transformer_block(x, attention, 4 * width, f"{name}_block{i}")
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    x = layers.Cropping1D((1, 0), name=f"{name}_patches")(x)
    return layers.Dense(values, kernel_initializer=truncated_normal(), dtype="float32", name="pixels")(x)
