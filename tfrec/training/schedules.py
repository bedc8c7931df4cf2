"""Schedules of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfrec.config.schema import FitConfig


@keras.saving.register_keras_serializable("tfrec")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, linear, cosine (Loshchilov & Hutter 2017, arXiv:1608.03983) or steps.

    Two variables can be set during training: `scale`, a factor by which a plateau lowers the rate, and `spent`, the
    fraction of a time budget that is over; linear and cosine follow whichever is further, the steps or the time.

    Args:
        peak: the highest learning rate.
        kind: "constant", "linear", "cosine", "step" or "plateau".
        total_steps: steps of the whole training.
        warmup_steps: steps of the linear rise.
        boundaries: steps at which the rate is multiplied by `factor`.
        factor: of each boundary.
    """

    def __init__(
        self,
        peak: float,
        kind: str,
        total_steps: int,
        warmup_steps: int = 0,
        boundaries: Sequence[int] = (),
        factor: float = 0.1,
    ) -> None:
        self.peak, self.kind, self.total_steps = peak, kind, total_steps
        self.warmup_steps, self.boundaries, self.factor = warmup_steps, tuple(boundaries), factor
        self.scale = keras.Variable(1.0, trainable=False, name="scale")
        self.spent = keras.Variable(0.0, trainable=False, name="spent")

    @classmethod
    def for_training(cls, config: FitConfig, steps: int) -> Schedule:
        """The schedule of a FitConfig with `steps` steps in an epoch."""
        return cls(
            config.learning_rate,
            config.schedule,
            config.epochs * steps,
            round(config.warmup_epochs * steps),
            [epoch * steps for epoch in config.step_epochs] if config.schedule == "step" else [],
            config.step_factor,
        )

    def __call__(self, step: Any) -> Any:
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

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("peak", "kind", "total_steps", "warmup_steps", "boundaries", "factor")
        return {name: getattr(self, name) for name in names}
