"""The registry of experiments: functions that return a full configuration; their docstrings state cost and score."""

import importlib
from collections.abc import Callable

from pipelines.errors import unknown
from tfrec.config.schema import AnyConfig

# {experiment: module of this package that defines a function of that name}. The module is imported when the experiment
# is used: a configuration needs Keras, a list of names does not.
EXPERIMENTS = {
    "an4": "sentences",
    "cifar10": "images",
    "cifar10_first_five": "images",
    "cifar10_other_five": "images",
    "cifar10_resnet": "images",
    "cifar10_robust": "images",
    "digits": "images",
    "mnist": "images",
    "mnist_best": "images",
    "multilingual_tts": "sentences",
    "spoken_digit": "speech",
    "spoken_digit_light": "speech",
    "spoken_digit_noise": "speech",
    "spoken_digit_speakers": "speech",
    "spoken_digits_tts": "speech",
}


def find(name: str) -> Callable[[], AnyConfig]:
    """Returns the experiment of a name, a function without arguments; raises UserError for an unknown name."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return getattr(importlib.import_module(f"tfrec.config.experiments.{EXPERIMENTS[name]}"), name)
