"""Validation of transcription after each epoch: loss and error rates of whole texts."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble
from pipelines.datasets.base import Split
from tfrec.decoding import ctc
from tfrec.evaluation.metrics import transcription

if TYPE_CHECKING:
    from tfrec.tasks.transcription import Transcription
    from tfrec.training.step import Training

logger = logging.getLogger(__name__)


class TranscriptValidation(keras.callbacks.Callback):
    """Adds `val_loss` and error rates of the greedy texts to an epoch's logs, and logs some hypotheses.

    Args:
        training: the Training whose kept network is validated; its task is a Transcription.
        split: the validation split.
        batch_size: maximum number of clips in a batch.
        shown: number of hypotheses in the log.
    """

    def __init__(self, training: Training, split: Split, batch_size: int, shown: int = 0) -> None:
        super().__init__()
        self.task = cast("Transcription", training.task)
        self.shown = shown
        self.references = [self.task.reference(text) for text in split.texts or ()]
        batch_seconds = training.recognizer.config.fit.batch_seconds
        self.batches = assemble.numbered_batches(self.task.targets(split), training.frontend, batch_size, batch_seconds)

        @tf.function(reduce_retracing=True)
        def step(inputs: Any, targets: Any) -> tuple[Any, Any]:
            inputs = training.recognizer.as_received(self.task.training_inputs(inputs, targets))
            outputs = training.evaluated(inputs)
            ids = ctc.greedy(outputs["logits"], outputs["steps"])[0]
            return self.task.loss(outputs, targets), self.task.detokenize(ids)

        self.step = step

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures the validation split."""
        started, total = time.perf_counter(), 0.0
        hypotheses = [""] * len(self.references)
        for inputs, (targets, numbers) in self.batches:
            loss, texts = self.step(inputs, targets)
            total += float(loss) * len(numbers)
            for number, text in zip(numbers.numpy(), texts.numpy(), strict=True):
                hypotheses[number] = self.task.comparable(text.decode())
        scores = transcription.score(self.references, hypotheses, unit=self.task.unit)
        rates = {name: scores[name] for name in self.task.rates}
        logs = {} if logs is None else logs
        logs |= {"val_loss": total / len(self.references), **{f"val_{name}": rate for name, rate in rates.items()}}
        listed = ", ".join(f"{name.upper()} {rate:.2%}" for name, rate in rates.items())
        seconds = time.perf_counter() - started
        logger.info("validation: loss %.3f, %s (%.0f s)", logs["val_loss"], listed, seconds)
        for number in np.unique(np.linspace(0, len(hypotheses) - 1, self.shown, dtype=int)):
            logger.info("    %r recognized as %r", self.references[number], hypotheses[number])
