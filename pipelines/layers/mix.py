"""MixUp (Zhang et al. 2017, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer, Shape, Tensor
from pipelines.layers.image_checks import check_image_shape, check_number, to_float_images
from pipelines.layers.intervals import interval_mask

TABLE_STEPS = 4096  # of the quantiles from which weights are drawn


@keras.saving.register_keras_serializable("pipelines")
class Mix(RandomLayer):
    """Mixes each example with another of its batch, by MixUp or by CutMix.

    The partner of example i is example i - 1, and the first one's is the last, since a training batch is shuffled
    already: `ops.roll(labels, 1, axis=0)` are the partners' labels.

    MixUp is weight times the example plus 1 - weight times the partner. CutMix puts a rectangle of the partner into the
    example, at the same place: of the image's aspect and 1 - weight of its area, the center on any pixel. Its weight is
    the fraction of pixels that stay the example's own, after clipping to the image and rounding to pixels.

    Args:
        mixup_alpha: Each example's weight follows Beta(alpha, alpha); 0 turns MixUp off. With both on, each example
            takes either with probability 1/2.
        cutmix_alpha: Likewise for CutMix.
        probability: Probability that an example is mixed at all.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: An argument is outside its range, or both alphas are 0.
    """

    def __init__(
        self,
        mixup_alpha: float = 0.2,
        cutmix_alpha: float = 1.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.mixup_alpha = check_number("mixup_alpha", mixup_alpha, 0.0, 100.0)
        self.cutmix_alpha = check_number("cutmix_alpha", cutmix_alpha, 0.0, 100.0)
        if not self.mixup_alpha and not self.cutmix_alpha:
            raise ValueError("mixup_alpha or cutmix_alpha must be above 0. Received: 0 and 0")
        self.probability = check_number("probability", probability, 0.0, 1.0)
        self._mixup_table = _beta_table(self.mixup_alpha)
        self._cutmix_table = _beta_table(self.cutmix_alpha)
        self._cutmix_probability = 0.5 if self.mixup_alpha and self.cutmix_alpha else float(self.cutmix_alpha > 0)

    def call(self, features: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """Mixes each example with its partner.

        Args:
            features: `(batch, height, width, channels)`, any dtype and range.
            training: Mixes only if True; otherwise the features keep their values and all weights are 1.

        Returns:
            Features, float32, in the input's shape, and weights `(batch,)`, float32, of the examples' own labels; the
            rest, 1 - weight, belongs to the partner's label.

        Raises:
            ValueError: The input does not have rank 4.
        """
        x = to_float_images(self, features)
        batch, height, width, _ = ops.shape(x)
        if not training:
            return x, ops.ones((batch,), "float32")
        random = keras.random.uniform((5, batch), seed=self.seed_generator)
        mixed, cut = random[0] < self.probability, random[1] < self._cutmix_probability
        # Both ways at once for every example, each without effect where the other is drawn: one pass over the features.
        blend = _quantile(self._mixup_table, random[2])
        blend = ops.where(ops.logical_and(mixed, ops.logical_not(cut)), blend, 1.0)
        side = ops.sqrt(1.0 - _quantile(self._cutmix_table, random[2]))
        side = ops.where(ops.logical_and(mixed, cut), side, 0.0)
        rows, columns = _random_interval(height, side, random[3]), _random_interval(width, side, random[4])
        own = (blend[:, None, None] * (1.0 - rows[:, :, None] * columns[:, None, :]))[..., None]
        weight = blend * (1.0 - ops.mean(rows, axis=1) * ops.mean(columns, axis=1))
        return x * own + ops.roll(x, 1, axis=0) * (1.0 - own), weight

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """The input's shape, and `(batch,)`; raises ValueError unless the input has rank 4."""
        shape = check_image_shape(self, input_shape)
        return shape, shape[:1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("mixup_alpha", "cutmix_alpha", "probability")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _beta_table(alpha: float) -> np.ndarray:
    """The quantiles 0, 1 / TABLE_STEPS, ..., 1 of Beta(alpha, alpha): XLA has no sampler for it. Ones for alpha 0."""
    if not alpha:
        return np.ones(TABLE_STEPS + 1, "float32")
    from scipy.special import betaincinv  # most of a second to import

    return betaincinv(alpha, alpha, np.linspace(0, 1, TABLE_STEPS + 1)).astype("float32")


def _quantile(table: np.ndarray, uniform: Tensor) -> Tensor:
    """Uniform draws from [0, 1) -> draws from the distribution of the quantiles, linear between them."""
    position = uniform * TABLE_STEPS
    low = ops.minimum(ops.cast(position, "int32"), TABLE_STEPS - 1)
    quantiles = ops.convert_to_tensor(table)
    first, second = ops.take(quantiles, low), ops.take(quantiles, low + 1)
    return first + (second - first) * (position - ops.cast(low, "float32"))


def _random_interval(size: Tensor, fraction: Tensor, uniform: Tensor) -> Tensor:
    """(batch, size): 1 in a fraction (batch,) of an axis around a random pixel, clipped to the axis; 0 elsewhere."""
    pixels = ops.cast(size, "float32")
    length = ops.round(fraction * pixels)
    start = ops.floor(uniform * pixels) - ops.floor(length / 2.0)
    return ops.cast(interval_mask(size, start[:, None], length[:, None]), "float32")
