"""Schedules of the learning rate."""

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
