"""What a recognizer of speech is judged by after each epoch: loss and error rates of whole texts."""

import time

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble
from tfrec.decoding import ctc
from tfrec.evaluation.metrics import transcription
from tfrec.utils.console import console


class TranscribedValidation(keras.callbacks.Callback):
    """Adds `val_loss`, `val_wer` and `val_cer` of the greedy texts to an epoch's figures, and prints some of them."""

    def __init__(self, recognizer, model, split, batch_size):
        super().__init__()
        self.task, self.trained = recognizer.task, model
        self.references = [self.task.reference(text) for text in split.texts]
        self.batches = assemble.numbered_batches(
            self.task.targets(split), recognizer.frontend, batch_size, recognizer.config.fit.batch_seconds
        )
        takes_tokens = recognizer.takes_tokens

        @tf.function(reduce_retracing=True)
        def step(inputs, label):
            if takes_tokens:
                inputs, label = self.task.feed(inputs, label)
            outputs = model(inputs, training=False)
            return self.task.batch_loss(label, outputs), self.task.spell(
                ctc.greedy(outputs["logits"], outputs["steps"])[0]
            )

        self.step = step

    def on_epoch_end(self, epoch, logs=None):
        """Goes over the validation split."""
        started, total = time.perf_counter(), 0.0
        hypotheses = [""] * len(self.references)
        for inputs, (label, numbers) in self.batches:
            loss, texts = self.step(inputs, label)
            total += float(loss) * len(numbers)
            for number, text in zip(numbers.numpy(), texts.numpy(), strict=True):
                hypotheses[number] = self.task.comparable(text.decode())
        scores = transcription.score(self.references, hypotheses, unit=self.task.scored)
        rates = {name: scores[name] for name in self.task.rates}
        logs |= {"val_loss": total / len(self.references), **{f"val_{name}": rate for name, rate in rates.items()}}
        told = ", ".join(f"{name.upper()} {rate:.2%}" for name, rate in rates.items())
        console.print(f"validation: loss {logs['val_loss']:.3f}, {told} ({time.perf_counter() - started:.0f} s)")
        for number in np.unique(np.linspace(0, len(hypotheses) - 1, self.task.config.shown, dtype=int)):
            console.print(f"    {self.references[number]!r} heard as {hypotheses[number]!r}")
