"""MixUp (Zhang et al. 2017, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899)."""

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import RandomLayer
from pipelines.layers.image_arguments import float_images, image_shape, number
from pipelines.layers.rectangles import inside

STEPS = 4096  # of the table from which weights are drawn


@keras.saving.register_keras_serializable("pipelines")
class Mix(RandomLayer):
    """Each example mixed with another of its batch, by MixUp or by CutMix.

    Input: features (batch, height, width, channels), any dtype and range.
    Output: the features, float32, in the input's shape, and weights (batch,), float32, of the examples' own labels; the
    rest, 1 - weight, belongs to the partner's label. The partner of example i is example i - 1 and the first one's is
    the last, since a batch for training is shuffled already: `ops.roll(labels, 1, axis=0)` are the partners' labels.
    Without `training=True` features keep their values and weights are 1.

    mixup_alpha, cutmix_alpha: the parameter of Beta(alpha, alpha), from which each example's weight is drawn; 0 turns
    that way of mixing off. Where both are on, each example takes either with probability 1/2.
    probability: how often an example is mixed at all.

    MixUp is weight times the example plus 1 - weight times the partner. CutMix puts a rectangle of the partner into the
    example, at the same place: of the image's aspect and 1 - weight of its area, the center on any pixel. The weight
    given back is the share of pixels that stay the example's own, after clipping to the image and rounding to pixels.

    Raises ValueError for arguments outside their range, both alphas 0 included, and for input of another rank.
    """

    def __init__(self, mixup_alpha=0.2, cutmix_alpha=1.0, probability=1.0, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.mixup_alpha = number("mixup_alpha", mixup_alpha, 0.0, 100.0)
        self.cutmix_alpha = number("cutmix_alpha", cutmix_alpha, 0.0, 100.0)
        if not self.mixup_alpha and not self.cutmix_alpha:
            raise ValueError("mixup_alpha or cutmix_alpha must be above 0. Received: 0 and 0")
        self.probability = number("probability", probability, 0.0, 1.0)
        self._mixup_table = _beta_table(self.mixup_alpha)
        self._cutmix_table = _beta_table(self.cutmix_alpha)
        self._cutmix_share = 0.5 if self.mixup_alpha and self.cutmix_alpha else float(self.cutmix_alpha > 0)

    def call(self, features, training=None):
        """Mixed features and the weights of the examples' own labels."""
        x = float_images(self, features)
        batch, height, width, _ = ops.shape(x)
        if not training:
            return x, ops.ones((batch,), "float32")
        random = keras.random.uniform((5, batch), seed=self.seed_generator)
        mixed, cut = random[0] < self.probability, random[1] < self._cutmix_share
        # Both ways at once for every example, each without effect where the other is drawn: one pass over the features.
        blend = _look_up(self._mixup_table, random[2])
        blend = ops.where(ops.logical_and(mixed, ops.logical_not(cut)), blend, 1.0)
        side = ops.sqrt(1.0 - _look_up(self._cutmix_table, random[2]))
        side = ops.where(ops.logical_and(mixed, cut), side, 0.0)
        rows, columns = _stretch(height, side, random[3]), _stretch(width, side, random[4])
        own = (blend[:, None, None] * (1.0 - rows[:, :, None] * columns[:, None, :]))[..., None]
        weight = blend * (1.0 - ops.mean(rows, axis=1) * ops.mean(columns, axis=1))
        return x * own + ops.roll(x, 1, axis=0) * (1.0 - own), weight

    def compute_output_shape(self, input_shape):
        """The input's shape, and (batch,)."""
        shape = image_shape(self, input_shape)
        return shape, shape[:1]

    def get_config(self):
        """The constructor's arguments."""
        own = ("mixup_alpha", "cutmix_alpha", "probability")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _beta_table(alpha):
    """The quantiles 0, 1 / STEPS, ..., 1 of Beta(alpha, alpha): XLA has no sampler for it. Ones for alpha 0."""
    if not alpha:
        return np.ones(STEPS + 1, "float32")
    from scipy.special import betaincinv  # most of a second to import

    return betaincinv(alpha, alpha, np.linspace(0, 1, STEPS + 1)).astype("float32")


def _look_up(table, uniform):
    """Uniform draws from [0, 1) -> draws from the distribution of the quantiles, linear between them."""
    position = uniform * STEPS
    low = ops.minimum(ops.cast(position, "int32"), STEPS - 1)
    table = ops.convert_to_tensor(table)
    first, second = ops.take(table, low), ops.take(table, low + 1)
    return first + (second - first) * (position - ops.cast(low, "float32"))


def _stretch(size, share, uniform):
    """(batch, size): 1 in a share (batch,) of an axis around a random pixel, as far as it lies inside; 0 elsewhere."""
    pixels = ops.cast(size, "float32")
    length = ops.round(share * pixels)
    start = ops.floor(uniform * pixels) - ops.floor(length / 2.0)
    return ops.cast(inside(size, start[:, None], length[:, None]), "float32")
