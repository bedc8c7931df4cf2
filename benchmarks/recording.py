"""What training for other recordings costs: steps of `spoken_digit` with each part of its augmentation.

`python -m benchmarks.recording`. A step is features, gradient and update of 64 clips of 0.45 s at 8 kHz; repetitions
interleaved, medians. "none" is the experiment with speed, tempo, tract, microphone and masks only.
One run on two busy CPU cores (Python 3.11, TensorFlow 2.17.1):

| parts | ms | ratio |
| --- | ---: | ---: |
| none | 136 | 1.00 |
| placement | 250 | 1.84 |
| synthetic noise | 148 | 1.09 |
| room | 157 | 1.16 |
| band | 154 | 1.14 |
| clipping | 130 | 0.96 |
| level | 154 | 1.13 |
| all | 347 | 2.55 |

Placement lengthens the clips from 0.45 to 1.25 s, and with them the network's work; the parts together cost 1.39 times
placement alone.
"""

import dataclasses
import os

import numpy as np
import rich.console
import rich.table
import tensorflow as tf

from benchmarks.timing import medians
from pipelines import frontends
from pipelines.datasets.base import Corpus
from pipelines.datasets.memory import clips
from tfrec.config import experiments
from tfrec.recognizer import Recognizer
from tfrec.training.optimizers import build_optimizer
from tfrec.training.step import Training

CLIPS, SECONDS, RATE_HZ, REPETITIONS = 64, 0.45, 8000, 15
PARTS = {
    "placement": {"place_seconds": 0.0},
    "synthetic noise": {"synthetic_probability": 0.0},
    "room": {"reverb_probability": 0.0},
    "band": {"band_probability": 0.0},
    "clipping": {"clipping_probability": 0.0},
    "level": {"gain_db": 0.0, "attenuation_db": 0.0},
}


def corpus():
    """Noise in place of speech: the time does not depend on the samples."""
    random = np.random.default_rng(0)
    waveforms = [(0.1 * random.standard_normal(round(SECONDS * RATE_HZ))).astype("float32") for _ in range(CLIPS)]
    split = clips(waveforms, np.arange(CLIPS) % 10, map(str, range(CLIPS)), RATE_HZ)
    names = tuple(map(str, range(10)))
    return Corpus("noise", "audio", names, dict.fromkeys(("train", "validation", "test"), split), RATE_HZ)


def step_function(config, data):
    """A call that takes one training step."""
    frontend = frontends.resolve(config.frontend, data, None, ("sequence",))
    recognizer = Recognizer(dataclasses.replace(config, frontend=frontend), list(data.class_names))
    training = Training(recognizer, data.splits["train"])
    optimizer = build_optimizer(config.fit, config.fit.learning_rate, training.trainable_variables)
    training.compile(optimizer=optimizer, jit_compile=False)
    batch = next(iter(data.splits["train"].examples.batch(CLIPS)))
    inputs = {"audio": batch["audio"], "length": tf.fill([CLIPS], tf.shape(batch["audio"])[1])}
    step = tf.function(lambda: training.train_step((inputs, batch["label"])))
    return lambda: step()


def main():
    """Measures and prints one table."""
    tf.get_logger().setLevel("ERROR")  # it counts the steps that are compiled
    config, data = experiments.find("spoken_digit")(), corpus()
    off = {field: value for part in PARTS.values() for field, value in part.items()}

    def with_parts(*names):
        changes = {field: value for field, value in off.items() if not any(field in PARTS[name] for name in names)}
        return dataclasses.replace(config, frontend=dataclasses.replace(config.frontend, **changes))

    calls = {"none": step_function(with_parts(), data)}
    calls |= {name: step_function(with_parts(name), data) for name in PARTS}
    calls |= {"all": step_function(config, data)}
    times = medians(calls, REPETITIONS, warm_ups=2)
    table = rich.table.Table(title=f"training steps of 64 clips, {os.cpu_count()} cores, TensorFlow {tf.__version__}")
    for column in ("parts", "ms", "ratio"):
        table.add_column(column, justify="right" if column != "parts" else "left")
    for name, seconds in times.items():
        table.add_row(name, f"{1000 * seconds:.0f}", f"{seconds / times['none']:.2f}")
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
