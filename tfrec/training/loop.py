"""Training: stages, optimizer, callbacks, resumption."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.buckets import Buckets
from pipelines.datasets.base import Corpus, Split
from pipelines.datasets.share import Share
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.config.schema import FitConfig
from tfrec.runs.run import Run
from tfrec.training import freezing
from tfrec.training.callbacks import EpochSeeds, EpochWarnings, StopOnNaN, TimeBudget, WidenMasks
from tfrec.training.checkpoint import TrainingCheckpoint
from tfrec.training.distributed import replicas, strategies
from tfrec.training.distributed.cluster import ALONE
from tfrec.training.distributed.workers import WorkerLoop
from tfrec.training.epochs import EpochLoop
from tfrec.training.losses import group_dro
from tfrec.training.optimizers import build_optimizer
from tfrec.training.schedules import Schedule
from tfrec.training.step import Training
from tfrec.utils import interrupts

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

ADAPT_EXAMPLES = 5000  # enough for a whitening

logger = logging.getLogger(__name__)


def train(
    recognizer: Recognizer, corpus: Corpus, run: Run, resume: bool = False, verbose: str | int = "auto"
) -> list[dict[str, float]]:
    """Fits a recognizer on the training split; leaves it with the best weights of the validation split.

    Args:
        recognizer: what is trained.
        corpus: its data.
        run: the run folder, which keeps the state, see `TrainingCheckpoint`.
        resume: whether training continues from that state.
        verbose: Keras's.

    Returns:
        The history, one dict an epoch.

    Raises:
        UserError: for settings that do not go together, and when the loss is NaN or infinite.
    """
    fit, task = recognizer.config.fit, recognizer.task
    check_settings(recognizer)
    train_split, validation_split = task.targets(corpus.splits["train"]), corpus.splits["validation"]
    if not (resume and run.has_state()) and recognizer.config.model.weights is None:
        adapt(recognizer, train_split)
    training = Training(recognizer, train_split)
    buckets, steps = _plan_epoch(training, train_split)
    schedule = Schedule.for_training(fit, steps)
    blocks = architectures.backbone_blocks(recognizer.network)
    _compile(training, _optimizer(recognizer, training, schedule, blocks))
    checkpoint = TrainingCheckpoint(run, training, fit, schedule, steps, task.monitors[fit.monitor])
    with interrupts.handled(), checkpoint.writer:
        if resume:
            checkpoint.restore()
        try:
            _run_stages(training, checkpoint, train_split, validation_split, buckets, blocks, verbose)
        except KeyboardInterrupt:
            checkpoint.save_unsaved()
            raise
    if strategies.current().is_chief:
        checkpoint.average_checkpoints(recognizer.network)
        recognizer.load_weights(run)
    return checkpoint.history


def _run_stages(
    training: Training,
    checkpoint: TrainingCheckpoint,
    train_split: Split,
    validation_split: Split,
    buckets: Buckets | None,
    blocks: dict[str, list[Any]],
    verbose: str | int,
) -> None:
    """Trains from the position of the checkpoint on; other parts of the network are frozen in each stage."""
    fit, state = checkpoint.config, checkpoint.state
    callbacks, validation = _callbacks(training, checkpoint, validation_split)
    validation_steps = assemble.steps_per_epoch(validation_split, fit.batch_size)
    loop = EpochLoop if strategies.current() is ALONE else WorkerLoop
    with loop(training, checkpoint, callbacks, validation, validation_steps, verbose) as epochs:
        for _, end, frozen in freezing.stages(fit, blocks):
            if checkpoint.done or end <= state["epoch"]:
                continue
            _freeze(training, blocks, frozen)
            if state["logs"] is None:
                first_epoch, first_batch = state["epoch"], state["step"]
            else:
                first_epoch, first_batch = state["epoch"] + 1, 0
            epochs.run(_batches(training, train_split, end, first_epoch, first_batch, buckets), end)


def train_on(recognizer: Recognizer, split: Split) -> None:
    """Fits a recognizer on a split alone: without validation and without a run, the weights of the last epoch stay.

    Args:
        recognizer: what is trained.
        split: its data.

    Raises:
        UserError: for settings that do not go together, and when the loss is NaN or infinite.
    """
    check_settings(recognizer)
    recognizer.task.prepare(split)
    fit, targets = recognizer.config.fit, recognizer.task.targets(split)
    if recognizer.config.model.weights is None:
        adapt(recognizer, targets)
    training = Training(recognizer, targets)
    buckets, steps = _plan_epoch(training, targets)
    blocks = architectures.backbone_blocks(recognizer.network)
    _compile(training, _optimizer(recognizer, training, Schedule.for_training(fit, steps), blocks))
    for start, end, frozen in freezing.stages(fit, blocks):
        _freeze(training, blocks, frozen)
        training.fit(
            _batches(training, targets, end, start, 0, buckets),
            steps_per_epoch=steps,
            initial_epoch=start,
            epochs=end,
            callbacks=[EpochSeeds(recognizer.config.seed), StopOnNaN()],
            shuffle=False,
            verbose=0,
        )
    recognizer.network.set_weights(training.kept_network.get_weights())


def count_steps(recognizer: Recognizer, corpus: Corpus) -> int:
    """Returns the number of steps in an epoch of `train`; UserError for settings that do not go together."""
    check_settings(recognizer)
    split = recognizer.task.targets(corpus.splits["train"])
    return _plan_epoch(Training(recognizer, split), split)[1]


def _plan_epoch(training: Training, split: Split) -> tuple[Buckets | None, int]:
    """The buckets of an epoch's batches, None where clips of any length share a batch, and their number."""
    fit = training.recognizer.config.fit
    buckets = training_buckets(split, training.frontend, fit)
    if buckets is None:
        return None, assemble.steps_per_epoch(split, fit.batch_size)
    logger.info("Training in %s", buckets.describe())
    return buckets, buckets.batches


def _freeze(training: Training, blocks: dict[str, list[Any]], frozen: tuple[str, ...]) -> None:
    freezing.freeze(blocks, frozen)
    _compile(training, training.optimizer)  # again, since Keras reads here what is trainable


def _compile(training: Training, optimizer: keras.Optimizer) -> None:
    jit_compile = training.recognizer.config.fit.jit_compile
    training.compile(optimizer=optimizer, jit_compile=jit_compile, auto_scale_loss=False)


def _optimizer(
    recognizer: Recognizer, training: Training, schedule: Schedule, blocks: dict[str, list[Any]]
) -> keras.Optimizer:
    """The optimizer for all weights, those of the backbone at its own rate."""
    backbone = [weight for layers in blocks.values() for layer in layers for weight in layer.trainable_weights]
    return build_optimizer(recognizer.config.fit, schedule, training.trainable_variables, backbone)


def _callbacks(
    training: Training, checkpoint: TrainingCheckpoint, validation: Split
) -> tuple[list[keras.callbacks.Callback], tf.data.Dataset | None]:
    """The callbacks of a training, and the batches with which Keras validates where the task has no own callback."""
    config, workers = training.recognizer.config, strategies.current()
    fit = config.fit
    warnings = EpochWarnings(training.task)
    seeds = EpochSeeds(config.seed, workers.index)
    callbacks: list[keras.callbacks.Callback] = [seeds, StopOnNaN(), warnings, checkpoint]
    batches = None
    own = training.task.validation_callback(training, validation, fit.batch_size)
    if own is None:
        targets = Share(workers.index, workers.count).of_split(training.task.targets(validation))
        batches = assemble.evaluation_batches(targets, training.frontend, fit.batch_size, is_repeated=True)
    else:
        callbacks.insert(1, own)  # before those that read its figures
    speech = training.frontend.parts().get("audio")
    if speech is not None and speech.masks is not None and speech.config.mask_epochs:
        callbacks.append(WidenMasks(speech.masks, speech.config.mask_epochs))
    if training.group_loss is not None:
        callbacks.append(group_dro.ReportWeights(training.group_loss))
    if fit.budget_minutes:
        callbacks.append(TimeBudget(checkpoint))
    if fit.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(checkpoint.run.path / "tensorboard", write_graph=False))
    return callbacks, batches


def _batches(
    training: Training, split: Split, epochs: int, first_epoch: int, first_batch: int, buckets: Buckets | None
) -> tf.data.Dataset:
    config, workers = training.recognizer.config, strategies.current()
    share = Share(workers.index, workers.count)
    if training.group_loss is not None and (settings := training.task.group_weights):
        split = group_dro.attach(training.group_loss, split, settings.group_column)
    batches = assemble.training_batches(
        split, training.frontend, config.fit.batch_size, config.seed, epochs, first_epoch, buckets, first_batch, share
    )
    devices = replicas.count()
    return replicas.pad_batches(batches, devices) if devices > 1 and workers is ALONE else batches


def check_settings(recognizer: Recognizer) -> None:
    """Raises UserError for settings of the training that do not go with the task."""
    config, task = recognizer.config, recognizer.task
    if strategies.current() is not ALONE and config.fit.batch_size % replicas.count():
        raise UserError(
            f"fit.batch_size {config.fit.batch_size} must be a multiple of the {replicas.count()} devices of all"
            " workers, which share each batch."
        )
    if config.fit.jit_compile and not task.xla:
        raise UserError(
            f"fit.jit_compile: XLA cannot compile the loss of task.name {task.name} (XLA has no CTC loss); leave it"
            " out."
        )
    if config.fit.monitor not in task.monitors:
        raise UserError(
            f"fit.monitor {config.fit.monitor!r} is not measured by task.name {task.name!r}: choose"
            f" {' or '.join(task.monitors)}."
        )


def training_buckets(split: Split, frontend: Any, fit: FitConfig) -> Buckets | None:
    """The buckets of the training split by length; None where batches take the clips in any order."""
    if fit.batch_seconds is None:
        return None
    if "audio" not in frontend.parts():
        raise UserError("fit.batch_seconds is for speech: leave it out, and set fit.batch_size.")
    return assemble.bucket_plan(split, frontend, fit.batch_size, fit.batch_seconds)


def adapt(recognizer: Recognizer, split: Split) -> None:
    """Shows some features to the layers that are initialized from them, such as a whitening."""
    layers = [layer for layer in recognizer.network.layers if hasattr(layer, "adapt")]
    if layers:
        some = dataclasses.replace(split, examples=split.examples.take(ADAPT_EXAMPLES), size=ADAPT_EXAMPLES)
        frontend = frontends.build(recognizer.config.frontend, split=split)
        received = recognizer.replace(frontend=frontend)
        batches = assemble.evaluation_batches(some, frontend, 512)
        features = np.concatenate([received.features(received.as_received(batch)) for batch, _ in batches])
        for layer in layers:
            layer.adapt(features)
