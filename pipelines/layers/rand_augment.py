"""RandAugment (Cubuk et al. 2019, arXiv:1909.13719), all operations of an image fused into a few passes."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.affine import FILLS
from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.image_checks import check_choice, check_image_shape, check_number, to_float_images
from pipelines.layers.image_operations import LEVELS, Operations, apply_operations

OPERATIONS = (
    "identity",
    "autocontrast",
    "equalize",
    "contrast",
    "brightness",
    "posterize",
    "solarize",
    "sharpness",
    "rotate",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "color",  # the last, since images of one channel have none
)
BLENDS = ("contrast", "brightness", "color", "sharpness")


@keras.saving.register_keras_serializable("pipelines")
class RandAugment(RandomLayer):
    """Applies random operations out of the paper's 14 to each image, at one magnitude.

    Each image gets `operations` draws with replacement. An image of one channel has no color operation and draws from
    the other 13. At magnitude 10, as in AutoAugment (Cubuk et al. 2018, arXiv:1805.09501, table 6):

    - rotate turns by 30 degrees, shear_x and shear_y shear by 0.3, translate_x and translate_y shift by 0.45 of
      the side
    - contrast, brightness, color (that is, saturation) and sharpness blend with a factor of 0.1 or 1.9
    - posterize keeps 4 of 8 bits, solarize inverts every value
    - identity, autocontrast and equalize have no magnitude

    Strengths grow linearly from no change at 0. Operations with two directions take either with probability 1/2.

    The paper applies the operations in the order drawn. Here their order is fixed, so that the cost does not grow with
    their number: equalize, or else autocontrast; brightness; contrast; posterize; solarize (up to here one table of 256
    whole values per image and channel); color; sharpness; last all geometry, in the order drawn, about the center, as
    one affine map with one bilinear interpolation. Drawn twice, factors multiply; equalize, autocontrast, posterize and
    solarize apply once. Nothing is clipped or rounded between color and sharpness.

    Args:
        operations: Operations per image, at least 1.
        magnitude: Strength of the operations, from 0 to 10.
        fill: Content outside the image, see `sample_affine`.
        fill_value: The constant of fill `constant`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self,
        operations: int = 2,
        magnitude: float = 9.0,
        fill: str = "constant",
        fill_value: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(operations, bool) or not isinstance(operations, int) or operations < 1:
            raise ValueError(f"operations must be a whole number of 1 or more. Received: {operations!r}")
        self.operations = operations
        self.magnitude = check_number("magnitude", magnitude, 0.0, 10.0)
        self.fill = check_choice("fill", fill, FILLS)
        self.fill_value = check_number("fill_value", fill_value)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Applies random operations to each image.

        Args:
            images: `(batch, height, width, 1 or 3)`, any dtype, values in [0, 255].
            training: Applies operations only if True; otherwise the values stay the same.

        Returns:
            The input's shape, float32 in [0, 255].

        Raises:
            ValueError: The input is not a batch of images with 1 or 3 channels.
        """
        x = to_float_images(self, images, channels=(1, 3))
        if not training:
            return x
        return self.apply(x, *self.sample_operations(ops.shape(x)[0], x.shape[-1]))

    def sample_operations(self, batch: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """Draws the operations of each image.

        Args:
            batch: Number of images, an int or a scalar tensor.
            channels: Channels of the images, 1 or 3.

        Returns:
            Indices into OPERATIONS and directions, -1 or 1, both `(operations, batch)`, float32.
        """
        count = len(OPERATIONS) - (channels == 1)
        random = keras.random.uniform((2, self.operations, batch), seed=self.seed_generator)
        return ops.minimum(ops.floor(random[0] * count), count - 1.0), ops.where(random[1] < 0.5, -1.0, 1.0)

    def apply(self, images: Tensor, indices: Tensor, directions: Tensor) -> Tensor:
        """Applies given operations.

        Args:
            images: `(batch, height, width, 1 or 3)`, float32 in [0, 255].
            indices: `(operations, batch)`, see `sample_operations`.
            directions: `(operations, batch)`, -1 or 1.

        Returns:
            The images' shape, float32 in [0, 255].
        """
        strength = self.magnitude / 10.0
        drawn = {name: ops.cast(indices == i, "float32") for i, name in enumerate(OPERATIONS)}
        signed = {name: strength * directions * flags for name, flags in drawn.items()}
        factors = {name: ops.prod(1.0 + 0.9 * signed[name], axis=0)[:, None] for name in BLENDS}
        chosen = {name: ops.max(flags, axis=0)[:, None] for name, flags in drawn.items()}
        height, width = (0.45 * ops.cast(size, "float32") for size in ops.shape(images)[1:3])
        operations = Operations(
            autocontrast=chosen["autocontrast"],
            equalize=chosen["equalize"],
            removed_bits=round(4 * strength) * chosen["posterize"],
            solarize_threshold=LEVELS * (1.0 - strength * chosen["solarize"]),
            rotate=math.radians(30.0) * signed["rotate"],
            shear_x=0.3 * signed["shear_x"],
            shear_y=0.3 * signed["shear_y"],
            translate_x=width * signed["translate_x"],
            translate_y=height * signed["translate_y"],
            **factors,
        )
        return apply_operations(images, operations, self.fill, self.fill_value)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images with 1 or 3 channels."""
        return check_image_shape(self, input_shape, channels=(1, 3))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("operations", "magnitude", "fill", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
