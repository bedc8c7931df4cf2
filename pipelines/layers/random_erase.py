"""Random erasing (Zhong et al. 2017, arXiv:1708.04896)."""

import math

import keras
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.image_arguments import choice, float_images, image_shape, number, span
from pipelines.layers.rectangles import inside

FILLS = ("noise", "constant")


@keras.saving.register_keras_serializable("pipelines")
class RandomErase(RandomLayer):
    """One rectangle of an image replaced by noise or by a constant.

    Input: images (batch, height, width, channels), any dtype, values in [0, 255].
    Output: the same shape, float32; with `training=True` an image loses one rectangle with this `probability`,
    otherwise its values are unchanged.

    area: the rectangle's share of the image, uniform over this pair.
    aspect: its height over its width, log-uniform over this pair, limited to what fits (the paper draws again instead).
    Both hold up to the rounding of the sides to whole pixels, at least one.
    fill: `noise` gives each value its own uniform draw from [0, 255] (the paper's best), `constant` is `fill_value`.

    Raises ValueError for arguments outside their range and for input of another rank.
    """

    def __init__(
        self, probability=0.5, area=(0.02, 0.33), aspect=(0.3, 3.3), fill="noise", fill_value=0.0, seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        self.probability = number("probability", probability, 0.0, 1.0)
        self.area = span("area", area, 1e-6, 1.0)
        self.aspect = span("aspect", aspect, 0.01, 100.0)
        self.fill = choice("fill", fill, FILLS)
        self.fill_value = number("fill_value", fill_value)

    def call(self, images, training=None):
        """Images with a rectangle missing."""
        x = float_images(self, images)
        if not training:
            return x
        batch, height, width, _ = ops.shape(x)
        random = keras.random.uniform((5, batch, 1), seed=self.seed_generator)
        rows, columns = ops.cast(height, "float32"), ops.cast(width, "float32")
        area = rows * columns * (self.area[0] + random[0] * (self.area[1] - self.area[0]))
        low, high = map(math.log, self.aspect)
        # The rectangle is no higher and no wider than the image.
        aspect = ops.clip(ops.exp(low + random[1] * (high - low)), area / ops.square(columns), ops.square(rows) / area)
        tall = ops.clip(ops.round(ops.sqrt(area * aspect)), 1.0, rows)
        wide = ops.clip(ops.round(area / tall), 1.0, columns)
        erase = ops.logical_and(
            inside(height, ops.floor(random[2] * (rows - tall + 1.0)), tall)[:, :, None, None],
            inside(width, ops.floor(random[3] * (columns - wide + 1.0)), wide)[:, None, :, None],
        )
        erase = ops.logical_and(erase, (random[4] < self.probability)[..., None, None])
        if self.fill == "noise":
            return ops.where(erase, keras.random.uniform(ops.shape(x), 0.0, 255.0, seed=self.seed_generator), x)
        return ops.where(erase, self.fill_value, x)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return image_shape(self, input_shape)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "probability": self.probability,
            "area": self.area,
            "aspect": self.aspect,
            "fill": self.fill,
            "fill_value": self.fill_value,
        }
