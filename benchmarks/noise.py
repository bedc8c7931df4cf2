"""Milliseconds of a training step of `resnet_mel` with and without noise: `python -m benchmarks.noise`.

The same network, batch and optimizer, in turn, with and without noise mixed in at a random ratio of active speech to
noise (`frontend.noise_path`); the noises are synthetic and last a minute and a half.
"""

import dataclasses
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import soundfile
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from pipelines.datasets import memory
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.training.step import Training
from tfrec.utils import console

RATE_HZ, CLASSES, NOISES, NOISE_SECONDS = 8000, 10, 30, 3
PLAIN, NOISY = "without noise", "with noise"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train resnet_mel on one batch of random clips, with and without noise, in turn."""

    seconds: float = 0.5  # length of a clip
    batch_size: int = 32  # clips of a step
    width: int = 64  # filters of the network's first block
    repetitions: int = 15  # timed steps of each


def step(arguments, *noise):
    """A function that runs one training step; `noise` are the flags of the noise."""
    words = ["--data.name", "spoken_digit", "--model.name", "resnet_mel"]
    words += ["--model.width", str(arguments.width)]
    config = flags.to_config(flags.parse_fit([*words, *noise])[1])
    config = dataclasses.replace(config, frontend=config.frontend.resolved(RATE_HZ, None, ("sequence",)))
    recognizer = Recognizer(config, [str(i) for i in range(CLASSES)])
    random = np.random.default_rng(0)
    waves = random.normal(scale=0.1, size=(arguments.batch_size, round(arguments.seconds * RATE_HZ))).astype("float32")
    training = Training(recognizer, memory.clips(waves, np.zeros(len(waves), int), [""] * len(waves)))
    training.compile(keras.optimizers.Adam(1e-3))
    batch = {"audio": waves, "length": np.full(len(waves), waves.shape[1], "int32")}
    labels = random.integers(0, CLASSES, len(waves))
    return lambda: training.train_on_batch(batch, labels)


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.noise")
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(NOISES):
            noise = random.normal(scale=0.1, size=NOISE_SECONDS * RATE_HZ)
            soundfile.write(pathlib.Path(folder) / f"{i}.wav", noise, RATE_HZ)
        noise = ("--frontend.noise_path", folder, "--frontend.noise_probability", "1")
        steps = {PLAIN: step(arguments), NOISY: step(arguments, *noise)}
    seconds = medians(steps, arguments.repetitions, warm_ups=3)
    title = f"{arguments.batch_size} clips of {arguments.seconds:g} s, TensorFlow {tf.__version__}"
    table = Table("training step", "ms", "ratio", title=title)
    for name, median in seconds.items():
        table.add_row(name, f"{1000 * median:.1f}", f"{median / seconds[PLAIN]:.3f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
