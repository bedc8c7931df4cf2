"""Training: optimizer, schedule, callbacks, resumption."""

import dataclasses
import math
from typing import Literal

import keras
import numpy as np
from keras import ops

from pipelines import assemble
from tfrec.callbacks import EpochSeeds, Keeper, StopOnNaN


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How the weights are found."""

    epochs: int = 10  # passes over the training split
    batch_size: int = 64  # examples in each step
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adamw"  # rule of the step
    learning_rate: float = 1e-3  # at its highest
    momentum: float = 0.9  # of sgd and rmsprop
    weight_decay: float = 0.0  # decoupled, times the learning rate; spares biases and normalisation
    schedule: Literal["constant", "cosine", "step", "plateau"] = "cosine"  # of the learning rate
    warmup_epochs: float = 0.0  # linear rise to the learning rate
    step_epochs: tuple[int, ...] = ()  # where schedule step multiplies by step_factor
    step_factor: float = 0.1  # of schedules step and plateau
    plateau_patience: int = 3  # epochs without a better validation before schedule plateau steps
    clip_norm: float | None = None  # largest norm of the whole gradient
    monitor: Literal["loss", "accuracy"] = "loss"  # on validation: decides the best weights, stopping and plateaus
    patience: int | None = None  # epochs without a better validation before training stops
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = (
        "float32"  # of the network; features stay float32
    )
    tf32: bool = False  # let GPUs round float32 products to TensorFloat-32: faster, features off by up to 1e-3
    jit_compile: bool = False  # compile the step with XLA; pays on GPUs
    strategy: Literal["default", "mirrored"] = (
        "default"  # mirrored: every GPU of this machine takes a part of each batch
    )
    tensorboard: bool = False  # write event files for TensorBoard into the run

    def __post_init__(self):
        for field in ("epochs", "batch_size", "plateau_patience"):
            _require(getattr(self, field) >= 1, f"fit.{field} must be 1 or more", getattr(self, field))
        _require(self.learning_rate > 0, "fit.learning_rate must be above 0", self.learning_rate)
        _require(0 <= self.momentum < 1, "fit.momentum must be at least 0 and below 1", self.momentum)
        _require(self.weight_decay >= 0, "fit.weight_decay must be 0 or more", self.weight_decay)
        _require(self.warmup_epochs >= 0, "fit.warmup_epochs must be 0 or more", self.warmup_epochs)
        _require(self.clip_norm is None or self.clip_norm > 0, "fit.clip_norm must be above 0", self.clip_norm)
        _require(self.patience is None or self.patience >= 1, "fit.patience must be 1 or more", self.patience)
        needs_steps = self.schedule == "step" and not self.step_epochs
        _require(not needs_steps, "fit.schedule step needs fit.step_epochs", self.step_epochs)


@keras.saving.register_keras_serializable("tfrec")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, cosine (Loshchilov & Hutter 2017, arXiv:1608.03983) or steps, times `scale`.

    `scale` is a variable so that a plateau can lower the rate during training.
    """

    def __init__(self, peak, kind, total_steps, warmup_steps=0, boundaries=(), factor=0.1):
        self.peak, self.kind, self.total_steps = peak, kind, total_steps
        self.warmup_steps, self.boundaries, self.factor = warmup_steps, tuple(boundaries), factor
        self.scale = keras.Variable(1.0, trainable=False, name="scale")

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
        if self.kind == "cosine":
            span = max(self.total_steps - self.warmup_steps, 1)
            progress = ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
            rate = rate * 0.5 * (1 + ops.cos(math.pi * progress))
        for boundary in self.boundaries:
            rate = rate * ops.where(step >= boundary, self.factor, 1.0)
        return rate

    def get_config(self):
        """The constructor's arguments."""
        names = ("peak", "kind", "total_steps", "warmup_steps", "boundaries", "factor")
        return {name: getattr(self, name) for name in names}


def optimizer(config, schedule, variables):
    """The optimizer of a FitConfig for the given trainable variables."""
    common = {"weight_decay": config.weight_decay or None, "global_clipnorm": config.clip_norm}
    result = {
        "sgd": lambda: keras.optimizers.SGD(schedule, momentum=config.momentum, nesterov=config.momentum > 0, **common),
        "adam": lambda: keras.optimizers.Adam(schedule, **common),
        "adamw": lambda: keras.optimizers.AdamW(schedule, **{**common, "weight_decay": config.weight_decay}),
        "rmsprop": lambda: keras.optimizers.RMSprop(schedule, momentum=config.momentum, **common),
    }[config.optimizer]()
    if config.weight_decay:
        # One-dimensional weights are biases, scales and offsets: shrinking them only hurts.
        result.exclude_from_weight_decay(var_list=[variable for variable in variables if len(variable.shape) < 2])
    return result


def train(recogniser, corpus, run, resume=False, verbose="auto"):
    """Fits the recogniser on the corpus's training split; leaves it with the best weights of the validation split.

    `run` keeps state after every epoch; with `resume` training goes on from there. Returns the history, one dict an
    epoch. Raises UserError when the loss is not a number.
    """
    fit, seed = recogniser.config.fit, recogniser.config.seed
    training, validation = corpus.splits["train"], corpus.splits["validation"]
    steps = assemble.steps_per_epoch(training, fit.batch_size)
    model, frontend = recogniser.model_for(training, augment=True)
    schedule = Schedule.of(fit, steps)
    model.compile(
        optimizer=optimizer(fit, schedule, model.trainable_variables),
        loss=recogniser.task.loss(),
        metrics=recogniser.task.metrics(),
        jit_compile=fit.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)
    keeper = Keeper(run, recogniser.net, fit, schedule, steps, recogniser.task.monitor[fit.monitor])
    first_epoch = keeper.restore(model) if resume else 0
    if first_epoch < fit.epochs and not keeper.done:
        callbacks = [EpochSeeds(seed), StopOnNaN(), keeper]
        if fit.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False))
        model.fit(
            assemble.training_batches(training, frontend, fit.batch_size, seed, fit.epochs, first_epoch),
            validation_data=assemble.evaluation_batches(validation, frontend, fit.batch_size),
            steps_per_epoch=steps,
            initial_epoch=first_epoch,
            epochs=fit.epochs,
            callbacks=callbacks,
            shuffle=False,  # `assemble` has shuffled
            verbose=verbose,
        )
    recogniser.net.load_weights(run.best_weights)
    return keeper.history


def class_counts(split, classes):
    """Number of examples of each class; takes a pass over the data where the split does not know its labels."""
    labels = split.labels
    if labels is None:
        labels = np.array([example["label"] for example in split.examples.as_numpy_iterator()])
    return np.bincount(labels, minlength=classes)


def _require(holds, rule, received):
    if not holds:
        raise ValueError(f"{rule}. Received: {received}")
