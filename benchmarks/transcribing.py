"""Speed of transcription relative to real time, features included: `python -m benchmarks.transcribing`.

Weights and audio are random, since neither changes the time of greedy decoding by CTC; the others are compared with the
first network.
"""

import dataclasses
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from pipelines import frontends
from tfrec import architectures
from tfrec.config import flags
from tfrec.config.schema import Config, ExportConfig
from tfrec.recognizer import Recognizer
from tfrec.tasks import transcription
from tfrec.text import vocabulary
from tfrec.utils import console

RATE_HZ = 16000


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Waveforms to texts on this machine, network by network, in turn."""

    models: tuple[str, ...] = ("conformer_ctc", "bilstm_ctc", "lstm_ctc", "deepspeech2", "wavenet_ctc")  # to time
    batch_size: int = 1  # clips at once
    seconds: float = 10.0  # of each clip
    repetitions: int = 5  # timed batches of each


def main(argv):
    """Prints a table: milliseconds of a batch, times faster than real time, ratio to the first."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.transcribing")
    samples = round(arguments.seconds * RATE_HZ)
    sound = np.random.default_rng(0).normal(scale=0.1, size=(arguments.batch_size, samples)).astype("float32")
    inputs = {"audio": tf.constant(sound), "length": tf.fill((arguments.batch_size,), samples)}
    texts = vocabulary.build("characters", ["the quick brown fox jumps over the lazy dog"])
    calls = {name: _transcriber(name, texts.as_json(), inputs) for name in arguments.models}
    times = medians(calls, arguments.repetitions)
    table = Table(title=f"{arguments.batch_size} clips of {arguments.seconds:.0f} s, features included")
    for column in ("network", "ms", "times real time", "ratio to the first"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for name, seconds in times.items():
        speed = arguments.batch_size * arguments.seconds / seconds
        ratio = seconds / times[arguments.models[0]]
        table.add_row(name, f"{1000 * seconds:.0f}", f"{speed:.0f}", f"{ratio:.2f}")
    Console().print(table)
    return 0


def _transcriber(name, labels, inputs):
    """A function without arguments that transcribes the clips."""
    frontend = frontends.SpeechConfig(mels=80, normalize="mean_variance", sample_rate_hz=RATE_HZ, form="sequence")
    model = architectures.default_config(name)
    recognizer = Recognizer(Config(None, frontend, model, transcription.Config()), labels)

    @tf.function
    def transcribe():
        return recognizer.task.export_outputs(recognizer(inputs), ExportConfig())["text"]

    return lambda: transcribe().numpy()


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
