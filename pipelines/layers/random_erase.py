"""Random erasing (Zhong et al. 2017, arXiv:1708.04896)."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.image_checks import (
    check_choice,
    check_image_shape,
    check_number,
    check_range,
    to_float_images,
)
from pipelines.layers.intervals import interval_mask

FILLS = ("noise", "color", "constant")


@keras.saving.register_keras_serializable("pipelines")
class RandomErase(RandomLayer):
    """Replaces one random rectangle of an image by noise, by a random color or by a constant.

    Area and aspect hold up to the rounding of the sides to whole pixels, at least one.

    Args:
        probability: Probability that an image loses a rectangle.
        area: Smallest and largest fraction of the image's area, uniform.
        aspect: Smallest and largest height over width of the rectangle, log-uniform, clipped to what fits (the paper
            draws again instead).
        fill: `noise` draws each value uniformly from [0, 255] (the paper's best), `color` one value for each channel of
            the rectangle, `constant` is `fill_value`.
        fill_value: The constant of fill `constant`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self,
        probability: float = 0.5,
        area: tuple[float, float] = (0.02, 0.33),
        aspect: tuple[float, float] = (0.3, 3.3),
        fill: str = "noise",
        fill_value: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.probability = check_number("probability", probability, 0.0, 1.0)
        self.area = check_range("area", area, 1e-6, 1.0)
        self.aspect = check_range("aspect", aspect, 0.01, 100.0)
        self.fill = check_choice("fill", fill, FILLS)
        self.fill_value = check_number("fill_value", fill_value)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Erases a rectangle of each image with `probability`.

        Args:
            images: `(batch, height, width, channels)`, any dtype, values in [0, 255].
            training: Erases only if True; otherwise the values stay the same.

        Returns:
            The input's shape, float32.

        Raises:
            ValueError: The input is not a batch of images.
        """
        x = to_float_images(self, images)
        if not training:
            return x
        batch, height, width, channels = ops.shape(x)
        random = keras.random.uniform((5, batch, 1), seed=self.seed_generator)
        rows, columns = ops.cast(height, "float32"), ops.cast(width, "float32")
        area = rows * columns * (self.area[0] + random[0] * (self.area[1] - self.area[0]))
        low, high = map(math.log, self.aspect)
        # The rectangle is no higher and no wider than the image.
        aspect = ops.clip(ops.exp(low + random[1] * (high - low)), area / ops.square(columns), ops.square(rows) / area)
        tall = ops.clip(ops.round(ops.sqrt(area * aspect)), 1.0, rows)
        wide = ops.clip(ops.round(area / tall), 1.0, columns)
        erase = ops.logical_and(
            interval_mask(height, ops.floor(random[2] * (rows - tall + 1.0)), tall)[:, :, None, None],
            interval_mask(width, ops.floor(random[3] * (columns - wide + 1.0)), wide)[:, None, :, None],
        )
        erase = ops.logical_and(erase, (random[4] < self.probability)[..., None, None])
        if self.fill == "constant":
            return ops.where(erase, self.fill_value, x)
        filled = ops.shape(x) if self.fill == "noise" else (batch, 1, 1, channels)
        return ops.where(erase, keras.random.uniform(filled, 0.0, 255.0, seed=self.seed_generator), x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images."""
        return check_image_shape(self, input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "probability": self.probability,
            "area": self.area,
            "aspect": self.aspect,
            "fill": self.fill,
            "fill_value": self.fill_value,
        }
