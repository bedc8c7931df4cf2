"""Training: stages, optimizer, callbacks, resumption."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.training import freezing
from tfrec.training.callbacks import Budget, EndStage, EpochSeeds, StopOnNaN, WidenMasks
from tfrec.training.checkpoint import Keeper
from tfrec.training.optimizers import optimizer
from tfrec.training.schedules import Schedule
from tfrec.training.step import training_model
from tfrec.utils.console import console

ADAPT_EXAMPLES = 5000  # enough for a whitening


def train(recognizer, corpus, run, resume=False, verbose="auto"):
    """Fits the recognizer on the corpus's training split; leaves it with the best weights of the validation split.

    `run` keeps state after every epoch; with `resume` training goes on from there. Returns the history, one dict an
    epoch. Raises UserError when the loss is not a number.
    """
    fit, seed, task = recognizer.config.fit, recognizer.config.seed, recognizer.task
    require_fitting(recognizer)
    training, validation = task.targets(corpus.splits["train"]), corpus.splits["validation"]
    if (not resume or run.read_state() is None) and recognizer.config.model.weights is None:
        adapt(recognizer, training)
    model, frontend = training_model(recognizer, training)
    shapes = training_shapes(training, frontend, fit)
    steps = shapes.batches if shapes else assemble.steps_per_epoch(training, fit.batch_size)
    if shapes:
        console.print(f"Training in {shapes.describe()}")
    blocks = architectures.backbone_blocks(recognizer.net)
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
        callbacks.insert(1, task.validation(recognizer, model, validation, fit.batch_size))
    else:
        judged = assemble.evaluation_batches(validation, frontend, fit.batch_size)
    if getattr(frontend, "masks", None) is not None and recognizer.config.frontend.mask_epochs:
        callbacks.append(WidenMasks(frontend.masks, recognizer.config.frontend.mask_epochs))
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
            batches.map(task.feed) if recognizer.takes_tokens else batches,
            validation_data=judged,
            steps_per_epoch=steps,
            initial_epoch=first_epoch,
            epochs=fit.epochs,
            callbacks=[*callbacks, EndStage(end)],
            shuffle=False,  # `assemble` has shuffled
            verbose=verbose,
        )
    keeper.keep_mean(recognizer.net)
    recognizer.net.load_weights(run.best_weights)
    return keeper.history


def require_fitting(recognizer):
    """UserError for settings of the training that do not go with the task."""
    config, task = recognizer.config, recognizer.task
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


def adapt(recognizer, split):
    """Shows some features to the layers that start from them, such as a whitening."""
    adaptable = [layer for layer in recognizer.net.layers if hasattr(layer, "adapt")]
    if adaptable:
        some = dataclasses.replace(split, examples=split.examples.take(ADAPT_EXAMPLES), size=ADAPT_EXAMPLES)
        frontend = frontends.build(recognizer.config.frontend, split=split)
        inputs = [batch for batch, _ in assemble.evaluation_batches(some, frontend, 512)]
        on_host = recognizer.config.frontend.placement == "host"
        features = np.concatenate([batch if on_host else frontend(batch) for batch in inputs])
        for layer in adaptable:
            layer.adapt(features)


def class_counts(split, classes):
    """Number of examples of each class; takes a pass over the data where the split does not know its labels."""
    labels = split.labels
    if labels is None:
        labels = np.array([example["label"] for example in split.examples.as_numpy_iterator()])
    return np.bincount(labels, minlength=classes)
