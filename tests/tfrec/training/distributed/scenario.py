"""Trainings of tiny networks that several processes and one must end with the same weights.

`python -m tests.tfrec.training.distributed.scenario MODEL FOLDER [SETTINGS]` trains one as a worker of TF_CONFIG.
"""

import dataclasses
import json
import pathlib
import sys

import numpy as np

from pipelines import datasets, frontends
from pipelines.datasets import memory
from pipelines.datasets.base import Corpus
from tfrec import tasks
from tfrec.config.schema import Config
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.training import loop
from tfrec.training.distributed import cluster, strategies

STEPS = 50
# Statistics of few examples, and high rates, would let the last digits grow.
FIT = {"epochs": 1, "optimizer": "sgd", "sync_batch_norm": True}
OWN = {
    "resnet18": {"batch_size": 24, "learning_rate": 1e-3},
    "conformer_ctc": {"batch_size": 8, "learning_rate": 1e-2},
}
SETTINGS = {
    "resnet18": {
        "data": {"name": "digits", "examples_per_class": 24 * STEPS // 10},
        "frontend": {"name": "image"},
        "model": {"name": "resnet18", "width_multiplier": 0.125},
        "task": {"name": "classify"},
    },
    "conformer_ctc": {
        "data": {"name": "manifest", "path": "none.csv"},
        "frontend": {"name": "speech", "sample_rate_hz": 8000, "mels": 20},
        "model": {
            **{"name": "conformer_ctc", "width": 16, "depth": 1, "heads": 2, "kernel": 7, "filters": 8},
            **{"subsampling": 2, "dropout": 0.0},
        },
        "task": {"name": "transcribe"},
    },
}


def melodies(count):
    """Clips of random length and sound; the seed is that of the place."""
    waves, texts = [], []
    for i in range(count):
        random = np.random.default_rng(i)
        waves.append(random.normal(size=random.integers(2400, 4800)).astype("float32") * 0.1)
        texts.append("".join(random.choice(list("abc"), random.integers(1, 6))))
    return memory.clips(waves, None, map(str, range(count)), 8000, texts=texts)


def train(model, folder, settings):
    """Trains one of SETTINGS; returns the recognizer and whether this process is the chief."""
    parts = {**SETTINGS[model], "fit": {**FIT, **OWN[model], **settings}}
    config = Config.from_dict({**parts, "export": {"after_fit": False}})
    strategy = strategies.start(config.fit)
    if model == "conformer_ctc":
        splits = {"train": melodies(8 * STEPS), "validation": melodies(8), "test": melodies(8)}
        corpus = Corpus("melodies", "audio", (), splits, 8000)
    else:
        corpus = datasets.load(config.data)
    config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, corpus))
    run, is_chief = Run(folder), config.fit.strategy != "multi_worker" or cluster.read().is_chief
    if is_chief:
        run.create()
    with strategies.scope(strategy):
        recognizer = Recognizer(config, tasks.labels(config.task, corpus))
        loop.train(recognizer, corpus, run, verbose=0)
    return recognizer, is_chief


def weights(recognizer):
    """The weights of the network by their paths."""
    return {weight.path: np.array(weight.value) for weight in recognizer.network.weights if "seed" not in weight.path}


def main(model, folder, settings="{}"):
    recognizer, is_chief = train(model, folder, {**json.loads(settings), "strategy": "multi_worker"})
    if is_chief:
        np.savez(pathlib.Path(folder) / "weights.npz", **weights(recognizer))


if __name__ == "__main__":
    main(*sys.argv[1:])
