"""The registry of experiments: functions that return a full configuration; their docstrings give cost and score."""

import importlib

from pipelines.errors import unknown

# Name of the experiment, a function of that name in this module of the package: imported when it is asked for, since
# a configuration needs Keras and a list of names does not.
EXPERIMENTS = {
    "an4": "sentences",
    "cifar10": "images",
    "cifar10_first_five": "images",
    "cifar10_other_five": "images",
    "cifar10_resnet": "images",
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


def find(name):
    """Returns the experiment of that name, a function without arguments; raises UserError for an unknown one."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return getattr(importlib.import_module(f"tfrec.config.experiments.{EXPERIMENTS[name]}"), name)
