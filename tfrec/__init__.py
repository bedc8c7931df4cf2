"""tfrec trains recognizers for images and for speech, and hands them to TensorFlow Serving.

>>> import tfrec
>>> "resnet18" in tfrec.list_architectures()
True
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

# Before TensorFlow is imported anywhere: its log lines do not concern a user, and Keras must run on it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# The program that imports these packages decides where their messages go; without a handler Python prints warnings.
for _name in ("tfrec", "pipelines", "tuning"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

# Keras and TensorFlow are imported by the functions below and not here: `import tfrec` takes milliseconds.
if TYPE_CHECKING:
    from pipelines.datasets.base import Corpus
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

__version__ = "0.1.0"
__all__ = [
    "list_architectures",
    "list_datasets",
    "list_experiments",
    "load",
    "load_data",
    "train",
]


def train(
    experiment: str | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    run: Any = None,
    resume: bool = False,
    test: bool = True,
    export: bool = False,
    verbose: str | int = "auto",
) -> Recognizer:
    """Trains a recognizer, measures it, and writes a run folder.

    Args:
        experiment: one of `list_experiments()`; None for the defaults of the data in `config`, or the digits.
        config: settings over the experiment, nested or dotted: `{"model.name": "mlp", "fit.epochs": 3}`.
        run: the run folder; None is the first free `runs/NAME`.
        resume: whether the interrupted training in `run` continues.
        test: whether the test split is measured; else the validation split alone.
        export: whether a SavedModel is published as well.
        verbose: Keras's: 0 is silent, 1 a progress bar, 2 a line an epoch.

    Returns:
        The trained recognizer; its `run.read_json("metrics.json")` holds the scores.

    Raises:
        pipelines.errors.UserError: for unknown or impossible settings, data that cannot be read, and a training that
            diverges.
    """
    from tfrec import config as configurations
    from tfrec.runs.run import Run
    from tfrec.training import session

    settings = {"export.after_fit": export, **(config or {})}
    built = configurations.build(experiment, settings)
    folder = Run.open(run, trained=False) if resume else Run(run or Run.next_free_path(experiment or built.data.name))
    return session.train(built, folder, resume, test, verbose).recognizer


def load(path: Any, trust: bool = False) -> Recognizer | ExportedRecognizer:
    """Opens a run folder, an export: `saved_models/NAME` or `saved_models/NAME/VERSION`, or a file for devices.

    Args:
        path: the folder, or the file NAME.tflite or NAME.onnx.
        trust: whether an export runs though it has operations that do more than compute, such as writing files.

    Raises:
        pipelines.errors.UserError: where there is neither, a damaged one, or an export that is not trusted.
    """
    import pathlib

    from tfrec.devices import formats
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

    if (pathlib.Path(path) / "config.json").is_file():
        return Recognizer.from_run(path)
    if formats.is_file(pathlib.Path(path)):
        from tfrec.devices.file_recognizer import FileRecognizer

        return FileRecognizer.open(path)
    return ExportedRecognizer.open(path, trust)


def load_data(name: str, **settings: Any) -> Corpus:
    """Loads a corpus, whose `splits` hold `tf.data` datasets of raw examples.

    Args:
        name: one of `list_datasets()`, or any image or audio set of TensorFlow Datasets.
        **settings: those of the flags `--data.*`, such as `path`.

    Raises:
        pipelines.errors.UserError: for an unknown name or setting, and for data that cannot be read.
    """
    from pipelines import datasets
    from tfrec import config

    return datasets.load(config.build(None, {"data": {"name": name, **settings}}).data)


def list_architectures() -> list[str]:
    """Names of the architectures, for `model.name` and `tfrec.architectures.build`."""
    from tfrec.architectures import ARCHITECTURES

    return list(ARCHITECTURES)


def list_datasets() -> list[str]:
    """Names of the datasets, for `data.name` and `load_data`; TensorFlow Datasets has more."""
    from pipelines.datasets import DATASETS

    return list(DATASETS)


def list_experiments() -> list[str]:
    """Names of the experiments, for `train`."""
    from tfrec.config.experiments import EXPERIMENTS

    return list(EXPERIMENTS)
