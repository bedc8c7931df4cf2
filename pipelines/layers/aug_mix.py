"""AugMix (Hendrycks et al. 2019, arXiv:1912.02781)."""

import math
from typing import Any

import keras
from keras import ops

from pipelines.layers.affine import FILLS
from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.image_checks import check_choice, check_image_shape, check_number, to_float_images
from pipelines.layers.image_operations import LEVELS, Operations, apply_operations

# Those of the paper: without color, contrast, brightness and sharpness, which are near its test corruptions.
OPERATIONS = (
    "autocontrast",
    "equalize",
    "posterize",
    "rotate",
    "solarize",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
MAX_DEPTH = 3  # operations of a chain
LOWEST_LEVEL = 0.1  # of an operation's strength
SMALLEST_UNIFORM = 1e-7  # its logarithm is finite


@keras.saving.register_keras_serializable("pipelines")
class AugMix(RandomLayer):
    """Mixes each image with several chains of random operations on it.

    Each image gets `width` chains of 1 to 3 operations, drawn with replacement. Their results are averaged with weights
    from a Dirichlet distribution of concentration 1, and the average is mixed with the image by a weight that is
    uniform from 0 to 1, that is Beta(1, 1). The strength of an operation is a level, uniform from 0.1 to `severity`. At
    level 10 rotate turns by 30 degrees to either side, shear_x and shear_y shear by 0.3, translate_x and translate_y
    shift by a third of the side, and solarize inverts every value; all grow linearly from no change at 0, in whole
    degrees, pixels and values. Posterize keeps 4 bits, and one less for each 2.5 levels, as in the published code.

    The paper applies a chain's operations in the order drawn. Here their order is that of `apply_operations`; within a
    chain equalize, autocontrast, posterize and solarize apply once. The layer mixes pixels, which equals the paper's
    mixture of normalized images where the normalization is the same for all images. The consistency loss of the paper,
    between three versions of an image, is not part of the layer.

    Args:
        probability: Probability that an image is augmented.
        severity: Highest level of the operations, from 0 to 10.
        width: Chains per image, at least 1.
        fill: Content outside the image, see `sample_affine`.
        fill_value: The constant of fill `constant`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range.
    """

    def __init__(
        self,
        probability: float = 1.0,
        severity: float = 3.0,
        width: int = 3,
        fill: str = "constant",
        fill_value: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.probability = check_number("probability", probability, 0.0, 1.0)
        self.severity = check_number("severity", severity, 0.0, 10.0)
        if isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise ValueError(f"width must be a whole number of 1 or more. Received: {width!r}")
        self.width = width
        self.fill = check_choice("fill", fill, FILLS)
        self.fill_value = check_number("fill_value", fill_value)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Mixes each image with chains of operations.

        Args:
            images: `(batch, height, width, 1 or 3)`, any dtype, values in [0, 255].
            training: Augments only if True; otherwise the values stay the same.

        Returns:
            The input's shape, float32 in [0, 255].

        Raises:
            ValueError: The input is not a batch of images with 1 or 3 channels.
        """
        x = to_float_images(self, images, channels=(1, 3))
        if not training:
            return x
        batch = ops.shape(x)[0]
        chains = self.apply(ops.tile(x, (self.width, 1, 1, 1)), *self.sample_operations(self.width * batch))
        own, weights = self.sample_weights(batch)
        mixed = own * x
        for i, chain in enumerate(ops.split(chains, self.width, axis=0)):
            mixed = mixed + weights[i] * chain
        return mixed

    def sample_operations(self, chains: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Draws the operations of each chain.

        Args:
            chains: Number of chains, an int or a scalar tensor.

        Returns:
            Indices into OPERATIONS, -1 for none; directions, -1 or 1; and levels, all `(3, chains)`, float32.
        """
        random = keras.random.uniform((3 * MAX_DEPTH + 1, chains), seed=self.seed_generator)
        first, second, third = (random[i * MAX_DEPTH : (i + 1) * MAX_DEPTH] for i in range(3))
        depth = ops.floor(random[-1] * MAX_DEPTH) + 1.0
        is_drawn = ops.arange(MAX_DEPTH, dtype="float32")[:, None] < depth
        indices = ops.minimum(ops.floor(first * len(OPERATIONS)), len(OPERATIONS) - 1.0)
        lowest = min(LOWEST_LEVEL, self.severity)
        levels = lowest + third * (self.severity - lowest)
        return ops.where(is_drawn, indices, -1.0), ops.where(second < 0.5, -1.0, 1.0), levels

    def sample_weights(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Draws the weights of the mixtures.

        Args:
            batch: Number of images, an int or a scalar tensor.

        Returns:
            The weight of each image `(batch, 1, 1, 1)`, and of its chains `(width, batch, 1, 1, 1)`; their sum is 1.
        """
        random = keras.random.uniform((self.width + 2, batch, 1, 1, 1), seed=self.seed_generator)
        # Exponential numbers over their sum follow a Dirichlet distribution.
        shares = -ops.log(ops.maximum(random[: self.width], SMALLEST_UNIFORM)) + SMALLEST_UNIFORM
        mixed = ops.where(random[-2] < self.probability, random[-1], 0.0)
        return 1.0 - mixed, mixed * shares / ops.sum(shares, axis=0)

    def apply(self, images: Tensor, indices: Tensor, directions: Tensor, levels: Tensor) -> Tensor:
        """Applies given operations.

        Args:
            images: `(batch, height, width, 1 or 3)`, float32 in [0, 255].
            indices: `(draws, batch)`, see `sample_operations`.
            directions: `(draws, batch)`, -1 or 1.
            levels: `(draws, batch)`, from 0 to 10.

        Returns:
            The images' shape, float32 in [0, 255].
        """
        drawn = {name: ops.cast(indices == i, "float32") for i, name in enumerate(OPERATIONS)}
        signed = {name: directions * flags for name, flags in drawn.items()}
        strength = levels / 10.0
        chosen = {name: ops.max(flags, axis=0)[:, None] for name, flags in drawn.items()}
        bits = ops.max(drawn["posterize"] * (4.0 + ops.floor(4.0 * strength)), axis=0)[:, None]
        inverted = ops.max(drawn["solarize"] * ops.floor(LEVELS * strength), axis=0)[:, None]
        height, width = (ops.cast(size, "float32") / 3.0 for size in ops.shape(images)[1:3])
        operations = Operations(
            autocontrast=chosen["autocontrast"],
            equalize=chosen["equalize"],
            removed_bits=bits,
            solarize_threshold=LEVELS - inverted,
            rotate=math.radians(1.0) * signed["rotate"] * ops.floor(30.0 * strength),
            shear_x=signed["shear_x"] * 0.3 * strength,
            shear_y=signed["shear_y"] * 0.3 * strength,
            translate_x=signed["translate_x"] * ops.floor(width * strength),
            translate_y=signed["translate_y"] * ops.floor(height * strength),
        )
        return apply_operations(images, operations, self.fill, self.fill_value)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; raises ValueError unless it is that of images with 1 or 3 channels."""
        return check_image_shape(self, input_shape, channels=(1, 3))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("probability", "severity", "width", "fill", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
