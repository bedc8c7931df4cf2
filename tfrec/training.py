"""Training: stages, optimizer, callbacks, resumption."""

import dataclasses
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.errors import UserError
from tfrec import architectures, freezing
from tfrec.callbacks import Budget, EndStage, EpochSeeds, Keeper, StopOnNaN, WidenMasks
from tfrec.cli import console
from tfrec.optimizers import Schedule, optimizer
from tfrec.stepping import training_model

ADAPT_EXAMPLES = 5000  # enough for a whitening


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How the weights are found."""

    epochs: int = 10  # passes over the training split
    batch_size: int = 64  # examples in each step
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adamw"  # rule of the step
    learning_rate: float = 1e-3  # at its highest
    momentum: float = 0.9  # of sgd and rmsprop
    weight_decay: float = 0.0  # decoupled, times the learning rate; spares biases and normalisation
    schedule: Literal["constant", "linear", "cosine", "step", "plateau"] = "cosine"  # of the learning rate
    warmup_epochs: float = 0.0  # linear rise to the learning rate
    step_epochs: tuple[int, ...] = ()  # where schedule step multiplies by step_factor
    step_factor: float = 0.1  # of schedules step and plateau
    plateau_patience: int = 3  # epochs without a better validation before schedule plateau steps
    clip_norm: float | None = None  # largest norm of the whole gradient
    batch_seconds: float | None = None  # of sound in a batch at most, padding included; clips of one length together
    monitor: Literal["loss", "accuracy", "wer", "cer", "per"] = (
        "loss"  # on validation: decides the best weights, stopping and plateaus
    )
    patience: int | None = None  # epochs without a better validation before training stops
    budget_minutes: float | None = None  # of training, after which it stops; schedules linear and cosine keep to it
    freeze: str = "none"  # what stays as it is: none, backbone, until:BLOCK, or gradual, from all to nothing
    unfreeze_epochs: int = 1  # of freeze gradual: how long until the next block is freed
    head_epochs: int = 0  # at first, with all but the head frozen
    backbone_rate: float = 1.0  # learning rate of the backbone, as a factor
    bias_rate: float = 1.0  # learning rate of biases and of batch normalisation's scales and offsets, as a factor
    average: float = 0.0  # of the weights over the steps, for validation and for what is kept: how much of it stays
    checkpoints: int = 1  # the mean of the weights after so many epochs is kept
    checkpoints_of: Literal["best", "last"] = "best"  # which epochs those are
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
        for field in ("epochs", "batch_size", "plateau_patience", "checkpoints"):
            _require(getattr(self, field) >= 1, f"fit.{field} must be 1 or more", getattr(self, field))
        _require(
            self.batch_seconds is None or self.batch_seconds > 0,
            "fit.batch_seconds must be above 0",
            self.batch_seconds,
        )
        _require(self.learning_rate > 0, "fit.learning_rate must be above 0", self.learning_rate)
        _require(0 <= self.momentum < 1, "fit.momentum must be at least 0 and below 1", self.momentum)
        _require(self.weight_decay >= 0, "fit.weight_decay must be 0 or more", self.weight_decay)
        _require(self.warmup_epochs >= 0, "fit.warmup_epochs must be 0 or more", self.warmup_epochs)
        _require(self.clip_norm is None or self.clip_norm > 0, "fit.clip_norm must be above 0", self.clip_norm)
        _require(self.patience is None or self.patience >= 1, "fit.patience must be 1 or more", self.patience)
        _require(
            self.budget_minutes is None or self.budget_minutes > 0,
            "fit.budget_minutes must be above 0",
            self.budget_minutes,
        )
        _require(self.unfreeze_epochs >= 1, "fit.unfreeze_epochs must be 1 or more", self.unfreeze_epochs)
        _require(
            0 <= self.head_epochs < self.epochs,
            "fit.head_epochs must be 0 or more and below fit.epochs",
            self.head_epochs,
        )
        for field in ("backbone_rate", "bias_rate"):
            _require(getattr(self, field) > 0, f"fit.{field} must be above 0", getattr(self, field))
        _require(0 <= self.average < 1, "fit.average must be at least 0 and below 1", self.average)
        needs_steps = self.schedule == "step" and not self.step_epochs
        _require(not needs_steps, "fit.schedule step needs fit.step_epochs", self.step_epochs)


def train(recogniser, corpus, run, resume=False, verbose="auto"):
    """Fits the recogniser on the corpus's training split; leaves it with the best weights of the validation split.

    `run` keeps state after every epoch; with `resume` training goes on from there. Returns the history, one dict an
    epoch. Raises UserError when the loss is not a number.
    """
    fit, seed, task = recogniser.config.fit, recogniser.config.seed, recogniser.task
    require_fitting(recogniser)
    training, validation = task.targets(corpus.splits["train"]), corpus.splits["validation"]
    if (not resume or run.read_state() is None) and recogniser.config.model.weights is None:
        adapt(recogniser, training)
    model, frontend = training_model(recogniser, training)
    shapes = training_shapes(training, frontend, fit)
    steps = shapes.batches if shapes else assemble.steps_per_epoch(training, fit.batch_size)
    if shapes:
        console.print(f"Training in {shapes.describe()}")
    blocks = architectures.backbone(recogniser.net)
    stages = freezing.stages(fit, blocks)
    slow = [weight for layers in blocks.values() for layer in layers for weight in layer.trainable_weights]
    schedule = Schedule.of(fit, steps)
    rule = optimizer(fit, schedule, model.trainable_variables, slow)
    model.compile(optimizer=rule)
    keeper = Keeper(run, model, fit, schedule, steps, task.monitor[fit.monitor])
    first_epoch = keeper.restore() if resume else 0
    callbacks, judged = [EpochSeeds(seed), StopOnNaN(), keeper], None
    if hasattr(task, "validation"):
        # Before what looks at its figures.
        callbacks.insert(1, task.validation(recogniser, model, validation, fit.batch_size))
    else:
        judged = assemble.evaluation_batches(validation, frontend, fit.batch_size)
    if getattr(frontend, "masks", None) is not None and recogniser.config.frontend.mask_epochs:
        callbacks.append(WidenMasks(frontend.masks, recogniser.config.frontend.mask_epochs))
    if fit.budget_minutes:
        callbacks.append(Budget(keeper))
    if fit.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False))
    for start, end, frozen in stages:
        if keeper.done or end <= first_epoch:
            continue
        first_epoch = max(start, first_epoch)
        freezing.freeze(blocks, frozen)
        model.compile(  # anew, since Keras looks at what is trainable only here
            optimizer=model.optimizer,
            loss=task.loss(),
            metrics=task.metrics(),
            jit_compile=fit.jit_compile,
        )
        batches = assemble.training_batches(training, frontend, fit.batch_size, seed, end, first_epoch, shapes)
        if (replicas := tf.distribute.get_strategy().num_replicas_in_sync) > 1 and hasattr(task, "batch_loss"):
            batches = assemble.for_replicas(batches, replicas)  # a loss of no texts would be no number
        model.fit(
            batches.map(task.feed) if recogniser.takes_tokens else batches,
            validation_data=judged,
            steps_per_epoch=steps,
            initial_epoch=first_epoch,
            epochs=fit.epochs,
            callbacks=[*callbacks, EndStage(end)],
            shuffle=False,  # `assemble` has shuffled
            verbose=verbose,
        )
    keeper.keep_mean(recogniser.net)
    recogniser.net.load_weights(run.best_weights)
    return keeper.history


def require_fitting(recogniser):
    """UserError for settings of the training that do not go with the task."""
    config, task = recogniser.config, recogniser.task
    if config.fit.jit_compile and hasattr(task, "batch_loss"):
        raise UserError("fit.jit_compile is not for task.name transcribe, as XLA has no CTC loss: leave it out.")
    if config.fit.monitor not in task.monitor:
        raise UserError(
            f"fit.monitor {config.fit.monitor!r} is nothing that task.name {config.task.name!r} measures: choose"
            f" {' or '.join(task.monitor)}."
        )


def training_shapes(split, frontend, fit):
    """The Buckets of the training split; None where batches are as they come."""
    if fit.batch_seconds is None:
        return None
    if frontend.modality != "audio":
        raise UserError("fit.batch_seconds is for speech: leave it out, and set fit.batch_size.")
    return assemble.bucket_plan(split, frontend, fit.batch_size, fit.batch_seconds)


def adapt(recogniser, split):
    """Shows some features to the layers that start from them, such as a whitening."""
    adaptable = [layer for layer in recogniser.net.layers if hasattr(layer, "adapt")]
    if adaptable:
        some = dataclasses.replace(split, examples=split.examples.take(ADAPT_EXAMPLES), size=ADAPT_EXAMPLES)
        frontend = frontends.build(recogniser.config.frontend, split=split)
        inputs = [batch for batch, _ in assemble.evaluation_batches(some, frontend, 512)]
        on_host = recogniser.config.frontend.placement == "host"
        features = np.concatenate([batch if on_host else frontend(batch) for batch in inputs])
        for layer in adaptable:
            layer.adapt(features)


def class_counts(split, classes):
    """Number of examples of each class; takes a pass over the data where the split does not know its labels."""
    labels = split.labels
    if labels is None:
        labels = np.array([example["label"] for example in split.examples.as_numpy_iterator()])
    return np.bincount(labels, minlength=classes)


def _require(holds, rule, received):
    if not holds:
        raise ValueError(f"{rule}. Received: {received}")
