"""Stochastic depth (Huang et al. 2016, arXiv:1603.09382)."""

from typing import Any, Protocol

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.types import Shape, Tensor


class HasStochasticDepth(Protocol):
    """A config with the rate of the last residual block."""

    @property
    def stochastic_depth(self) -> float:
        """Probability of dropping the last residual branch."""


@keras.saving.register_keras_serializable("tfrec")
class StochasticDepth(layers.Layer):
    """Drops a residual branch, example by example, in training: (batch, ...) -> the same shape.

    A branch that is kept is divided by the probability of keeping it, so that inference needs no scaling.

    Args:
        rate: probability of dropping the branch, at least 0 and below 1.
        seed: makes the draws reproducible; None takes a seed from Keras's global one.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for a rate outside [0, 1).
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(0 <= rate < 1, "StochasticDepth's rate must be at least 0 and below 1", rate)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """The branch, or zeros."""
        if not training or not self.rate:
            return x
        keep = keras.random.uniform((ops.shape(x)[0], *[1] * (len(x.shape) - 1)), seed=self.seed_generator) >= self.rate
        return x * ops.cast(keep, x.dtype) / (1.0 - self.rate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def drop_rates(config: HasStochasticDepth, blocks: int) -> list[float]:
    """The rate of each residual block, rising linearly to the config's (section 3 of the paper).

    >>> from tfrec.architectures.config import ImageModelConfig
    >>> drop_rates(ImageModelConfig(stochastic_depth=0.5), 2)
    [0.25, 0.5]

    Args:
        config: with the rate of the last block.
        blocks: number of residual blocks.

    Returns:
        Probabilities of dropping the branches of the blocks, in order.
    """
    return [config.stochastic_depth * (i + 1) / blocks for i in range(blocks)]
