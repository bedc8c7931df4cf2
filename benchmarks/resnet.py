"""A training step of ResNet-50 here, in Keras and in PyTorch, images per second: `python -m benchmarks.resnet`.

All have the large stem, 1000 classes, float32, two threads, and SGD with momentum, and take turns in one process on
idle cores: PyTorch's threads wait for one another, so that a busy machine slows it far more than the others.

Two otherwise idle CPU cores, Python 3.11, TensorFlow 2.17.1, PyTorch with two threads, 7 repetitions:

    | training step               | images per s | ours / this |
    | --------------------------- | ------------ | ----------- |
    | tfrec, resnet50             |        322.9 |        1.00 |
    | keras.applications.ResNet50 |        329.5 |        0.98 |
    | PyTorch                     |        334.4 |        0.97 |
    | PyTorch, channels_last      |        341.7 |        0.95 |

Of our step on one thread, convolutions are 78 %, batch normalization about 15 %. The biases that Keras's weights have
cost 6 %; PyTorch's network has none.
"""

import dataclasses
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from tfrec import architectures
from tfrec.config import flags
from tfrec.utils import console

CLASSES, THREADS = 1000, 2
OURS = "tfrec, resnet50"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train ResNet-50 on one batch of random images, by this project, Keras and PyTorch, in turn."""

    size: int = 32  # pixels of a side
    batch_size: int = 128  # images of a step
    repetitions: int = 15  # timed steps of each


def networks(shape):
    """Name -> Keras model."""
    config = dataclasses.replace(architectures.default_config("resnet50"), stem="large")
    theirs = keras.applications.ResNet50(weights=None, input_shape=shape, classes=CLASSES, classifier_activation=None)
    return {OURS: architectures.build_network(config, shape, CLASSES, "image"), "keras.applications.ResNet50": theirs}


def keras_step(network, images, labels):
    """A function that runs one step of SGD with momentum -> the loss."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
    return lambda: network.train_on_batch(images, labels)


def steps(images, labels):
    """Name -> a function that runs one training step; PyTorch's only where torch is installed."""
    result = {name: keras_step(network, images, labels) for name, network in networks(images.shape[1:]).items()}
    try:
        from benchmarks import torch_resnet
    except ImportError:
        return result
    for name, channels_last in (("PyTorch", False), ("PyTorch, channels_last", True)):
        result[name] = torch_resnet.step(images, labels, CLASSES, channels_last, THREADS)
    return result


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.resnet")
    draw = np.random.default_rng(0)
    images = draw.normal(size=(arguments.batch_size, arguments.size, arguments.size, 3)).astype("float32")
    labels = draw.integers(0, CLASSES, arguments.batch_size)
    seconds = medians(steps(images, labels), arguments.repetitions, warm_ups=2)
    table = Table(
        "training step",
        "images per s",
        "ours / this",
        title=f"{arguments.size} px, batch {arguments.batch_size}, {THREADS} threads, TensorFlow {tf.__version__}",
    )
    for name, median in seconds.items():
        table.add_row(name, f"{arguments.batch_size / median:,.1f}", f"{median / seconds[OURS]:.2f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    console.run(lambda: main(sys.argv[1:]))
