"""Optimizers, their schedules, and rates and decay that differ from weight to weight."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrec")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, linear, cosine (Loshchilov & Hutter 2017, arXiv:1608.03983) or steps.

    Two variables can be set during training: `scale`, a factor by which a plateau lowers the rate, and `spent`, the
    share of a budget of time that is gone; linear and cosine go by whichever is further, the steps or the time.
    """

    def __init__(self, peak, kind, total_steps, warmup_steps=0, boundaries=(), factor=0.1):
        self.peak, self.kind, self.total_steps = peak, kind, total_steps
        self.warmup_steps, self.boundaries, self.factor = warmup_steps, tuple(boundaries), factor
        self.scale = keras.Variable(1.0, trainable=False, name="scale")
        self.spent = keras.Variable(0.0, trainable=False, name="spent")

    @classmethod
    def of(cls, config, steps_per_epoch):
        """The schedule of a FitConfig."""
        return cls(
            config.learning_rate,
            config.schedule,
            config.epochs * steps_per_epoch,
            round(config.warmup_epochs * steps_per_epoch),
            [epoch * steps_per_epoch for epoch in config.step_epochs] if config.schedule == "step" else [],
            config.step_factor,
        )

    def __call__(self, step):
        """The learning rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        rate = self.peak * self.scale
        if self.warmup_steps:
            rate = rate * ops.minimum(1.0, (step + 1) / self.warmup_steps)
        if self.kind in ("linear", "cosine"):
            span = max(self.total_steps - self.warmup_steps, 1)
            progress = ops.clip(ops.maximum((step - self.warmup_steps) / span, self.spent), 0.0, 1.0)
            rate = rate * (1 - progress if self.kind == "linear" else 0.5 * (1 + ops.cos(math.pi * progress)))
        for boundary in self.boundaries:
            rate = rate * ops.where(step >= boundary, self.factor, 1.0)
        return rate

    def get_config(self):
        """The constructor's arguments."""
        names = ("peak", "kind", "total_steps", "warmup_steps", "boundaries", "factor")
        return {name: getattr(self, name) for name in names}


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
