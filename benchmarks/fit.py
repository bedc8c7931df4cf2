"""Milliseconds of a training step here and in plain Keras: `python -m benchmarks.fit`.

The network, augmentation and batch size of `digits` (8 x 8 pixels, 32 images), whose short steps show any overhead;
plain Keras has its own loss and schedule and no callback, on our batches and on arrays. Validation and checkpoints at
the ends of epochs are not timed. `--steps 200 --epochs 3 --repetitions 4` on two otherwise idle CPU cores (Python 3.11,
TensorFlow 2.17.1, Keras 3.15.1):

| training | ms per step | ratio |
| --- | --- | --- |
| tfrec.training.train | 5.100 | 0.987 |
| model.fit, our batches | 5.168 | 1.000 |
| model.fit, arrays | 4.968 | 0.961 |
"""

import dataclasses
import os
import random
import statistics
import sys
import tempfile
import time
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from pipelines import assemble, frontends
from pipelines.datasets.base import Corpus, Split
from tfrec.config import experiments, flags
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.training import loop
from tfrec.utils import console

BARE = "model.fit, our batches"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train the network of the first command on random images, by this project and by plain Keras, in turn."""

    steps: int = 300  # of an epoch
    epochs: int = 4  # of a training; the first, which traces, is not timed
    repetitions: int = 5  # trainings of each


class Stopwatch(keras.callbacks.Callback):
    """Measures the seconds of each epoch's steps and of everything between them, without validation and checkpoints."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self.start = time.perf_counter()
        self.running = True

    def on_test_begin(self, logs=None):
        """Stops the clock before validation."""
        self._stop()

    def on_epoch_end(self, epoch, logs=None):
        """Stops the clock where there is no validation."""
        self._stop()

    def _stop(self):
        if self.running:
            self.seconds.append(time.perf_counter() - self.start)
        self.running = False


def random_corpus(config, steps):
    """Random images and labels of the shapes of `digits`, for a number of steps."""
    draw = np.random.default_rng(0)

    def split(size):
        images = draw.integers(0, 256, (size, 8, 8, 1), np.uint8)
        labels = draw.integers(0, 10, size)
        return Split(tf.data.Dataset.from_tensor_slices({"image": images, "label": labels}), size, labels)

    small = split(config.fit.batch_size)
    splits = {"train": split(steps * config.fit.batch_size), "validation": small, "test": small}
    return Corpus("random", "image", tuple("0123456789"), splits)


def ours(config, corpus):
    """A complete training in a temporary run folder."""
    with tempfile.TemporaryDirectory() as path:
        run = Run(path)
        run.create()
        loop.train(Recognizer(config, corpus.class_names), corpus, run, verbose=0)


def bare(config, corpus, arrays=None):
    """The same model in `model.fit` with Keras's loss and schedule and no callback; on arrays where they are given."""
    fit, split = config.fit, corpus.splits["train"]
    steps = assemble.steps_per_epoch(split, fit.batch_size)
    network = Recognizer(config, corpus.class_names).network
    frontend = frontends.build(config.frontend, augment=True, seed=config.seed, split=split)
    inputs = frontend.inputs()
    model = keras.Model(inputs, network(frontend(inputs)))
    rate = keras.optimizers.schedules.CosineDecay(0.0, fit.epochs * steps, warmup_target=2e-3, warmup_steps=steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=fit.weight_decay), loss, metrics=["accuracy"])
    if arrays:
        model.fit(*arrays, batch_size=fit.batch_size, epochs=fit.epochs, verbose=0)
    else:
        batches = assemble.training_batches(split, frontend, fit.batch_size, config.seed, fit.epochs)
        model.fit(batches, steps_per_epoch=steps, epochs=fit.epochs, shuffle=False, verbose=0)


def step_seconds(train):
    """Seconds of the steps of each epoch but the first; `train` makes one list of callbacks."""
    watch, init = Stopwatch(), keras.callbacks.CallbackList.__init__

    def timed(self, callbacks=None, **options):
        init(self, [watch, *(callbacks or ())], **options)

    with mock.patch.object(keras.callbacks.CallbackList, "__init__", timed):
        train()
    return watch.seconds[1:]


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.fit")
    config = experiments.find("digits")()
    config = dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=arguments.epochs))
    corpus = random_corpus(config, arguments.steps)
    config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, corpus))
    whole = next(iter(corpus.splits["train"].examples.batch(corpus.splits["train"].size)))
    arrays = whole["image"].numpy(), whole["label"].numpy()
    trainings = {
        "tfrec.training.train": lambda: ours(config, corpus),
        BARE: lambda: bare(config, corpus),
        "model.fit, arrays": lambda: bare(config, corpus, arrays),
    }
    epochs = {name: [] for name in trainings}
    order = random.Random(0)
    for _ in range(arguments.repetitions):
        for name in order.sample(list(trainings), len(trainings)):
            epochs[name] += step_seconds(trainings[name])
    steps = {name: statistics.median(seconds) / arguments.steps for name, seconds in epochs.items()}
    table = Table("training", "ms per step", "ratio", title=f"{os.cpu_count()} cores, TensorFlow {tf.__version__}")
    for name, seconds in steps.items():
        table.add_row(name, f"{1000 * seconds:.3f}", f"{seconds / steps[BARE]:.3f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
