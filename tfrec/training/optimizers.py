"""Optimizers, their schedules, and rates and decay that differ from weight to weight."""

import keras
from keras import ops


class _ByVariable:
    """In front of a Keras optimizer: a factor of the learning rate, and decoupled decay or none, for each variable.

    Keras's own decay knows no factors, so that a backbone with a small rate would be shrunk at the full one.
    """

    def __init__(self, *args, decay, decayed, factors, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay, self.decayed, self.factors = decay, decayed, factors

    def update_step(self, gradient, variable, learning_rate):
        """The optimizer's own step, at this variable's rate."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self.factors[index]
        if self.decay and self.decayed[index]:
            variable.assign_sub(variable * (rate * self.decay))
        super().update_step(gradient, variable, rate)


class _SGD(_ByVariable, keras.optimizers.SGD):
    pass


class _Adam(_ByVariable, keras.optimizers.Adam):
    pass


class _RMSprop(_ByVariable, keras.optimizers.RMSprop):
    pass


def optimizer(config, schedule, variables, slow=()):
    """The optimizer of a FitConfig for the given trainable variables, built.

    `slow` are those that learn at `config.backbone_rate` times the learning rate. Biases, scales and offsets, which
    have one dimension, learn at `config.bias_rate` times it and do not decay: shrinking them only hurts.
    """
    slow = {id(variable) for variable in slow}

    def factor(variable):
        by_place = config.backbone_rate if id(variable) in slow else 1.0
        return by_place * (config.bias_rate if len(variable.shape) < 2 else 1.0)

    options = {
        "name": config.optimizer,
        "global_clipnorm": config.clip_norm,
        "decay": config.weight_decay,
        "decayed": [len(variable.shape) > 1 for variable in variables],
        "factors": [factor(variable) for variable in variables],
    }
    if config.optimizer == "sgd":
        result = _SGD(schedule, momentum=config.momentum, nesterov=config.momentum > 0, **options)
    elif config.optimizer == "rmsprop":
        result = _RMSprop(schedule, momentum=config.momentum, **options)
    else:  # decay that is decoupled from Adam's step makes it AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)
        result = _Adam(schedule, **options)
    result.build(variables)
    return result
