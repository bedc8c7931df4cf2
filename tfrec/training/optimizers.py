"""Optimizers with rates and decay that differ from weight to weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfrec.config.schema import FitConfig
from tfrec.training import _compat
from tfrec.training.schedules import Schedule


class _ByVariable(_compat.SummedGradients):
    """Mixed into a Keras optimizer: a factor of the learning rate, and decoupled decay or none, for each variable.

    Keras's own decay knows no factors, so that a backbone with a small rate would decay at the full one.
    """

    def __init__(
        self, *args: Any, decay: float, decayed: Sequence[bool], factors: Sequence[float], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.decay, self.decayed, self.factors = decay, decayed, factors

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """The optimizer's own step, at this variable's rate."""
        index = _compat.variable_index(self, variable)
        rate = ops.cast(learning_rate, variable.dtype) * self.factors[index]
        if self.decay and self.decayed[index]:
            variable.assign_sub(variable * (rate * self.decay))
        super().update_step(gradient, variable, rate)  # type: ignore[misc]


class _SGD(_ByVariable, keras.optimizers.SGD):
    pass


class _Adam(_ByVariable, keras.optimizers.Adam):
    pass


class _RMSprop(_ByVariable, keras.optimizers.RMSprop):
    pass


def build_optimizer(
    config: FitConfig, schedule: Schedule, variables: Sequence[Any], backbone: Sequence[Any] = ()
) -> keras.Optimizer:
    """The optimizer of a FitConfig, built for the given trainable variables.

    Biases, scales and offsets, which have one dimension, learn at `config.bias_rate` times the learning rate and do
    not decay. With mixed_float16 the loss is scaled (Micikevicius et al. 2018, arXiv:1710.03740).

    Args:
        config: the settings.
        schedule: the learning rate.
        variables: all that will be trained.
        backbone: those of them that learn at `config.backbone_rate` times the learning rate.
    """
    slow = {id(variable) for variable in backbone}

    def factor(variable: Any) -> float:
        by_place = config.backbone_rate if id(variable) in slow else 1.0
        return by_place * (config.bias_rate if len(variable.shape) < 2 else 1.0)

    options: dict[str, Any] = {
        "name": config.optimizer,
        "global_clipnorm": config.clip_norm,
        "decay": config.weight_decay,
        "decayed": [len(variable.shape) > 1 for variable in variables],
        "factors": [factor(variable) for variable in variables],
    }
    optimizer: keras.Optimizer
    if config.optimizer == "sgd":
        optimizer = _SGD(schedule, momentum=config.momentum, nesterov=config.momentum > 0, **options)
    elif config.optimizer == "rmsprop":
        optimizer = _RMSprop(schedule, momentum=config.momentum, **options)
    else:  # decay that is decoupled from Adam's step makes it AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)
        optimizer = _Adam(schedule, **options)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer
