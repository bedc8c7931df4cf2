"""The registry of experiments: functions that return a full configuration; their docstrings state cost and score."""

import importlib
import os
from collections.abc import Callable, Sequence

from pipelines import paths
from pipelines.errors import UserError, unknown
from pipelines.shards import places
from tfrec.config.schema import AnyConfig

# {experiment: module of this package that defines a function of that name}. The module is imported when the experiment
# is used: a configuration needs Keras, a list of names does not.
EXPERIMENTS = {
    "an4": "sentences",
    "an4_best_rq": "sentences",
    "an4_conformer": "sentences",
    "an4_recordings": "sentences",
    "cifar10": "images",
    "cifar10_cnn": "images",
    "cifar10_first_five": "images",
    "cifar10_other_five": "images",
    "cifar10_resnet": "images",
    "cifar10_robust": "images",
    "cifar10_simclr": "images",
    "commands": "speech",
    "commands_35": "speech",
    "digit_fusion": "pairs",
    "digit_pairs": "pairs",
    "digits": "images",
    "digits_simclr": "images",
    "mnist": "images",
    "mnist_best": "images",
    "multilingual_tts": "sentences",
    "spoken_digit": "speech",
    "spoken_digit_light": "speech",
    "spoken_digit_noise": "speech",
    "spoken_digit_noise_recordings": "speech",
    "spoken_digit_speakers": "speech",
    "spoken_digits_tts": "speech",
}

# Files that make a folder a manifest, see `pipelines.datasets.manifest_rows`.
FOLDER_LISTS = ("metadata.csv", "metadata.jsonl", "wav.scp")


def find(name: str) -> Callable[[], AnyConfig]:
    """Returns the experiment of a name, a function without arguments; raises UserError for an unknown name."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return getattr(importlib.import_module(f"tfrec.config.experiments.{EXPERIMENTS[name]}"), name)


def split_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Divides the words of a command into the experiment, or None, and the flags.

    Data in the place of the experiment becomes flags: a folder or a file, which is anything with a slash, and whatever
    exists, or names shards, and has no experiment's name.

    >>> split_words(["mnist", "--seed", "1"])
    ('mnist', ['--seed', '1'])
    >>> split_words(["PHOTOS/", "--seed", "1"])
    (None, ['--data.name=folder', '--data.path=PHOTOS/', '--seed', '1'])

    Args:
        words: the words after the command.

    Returns:
        The name of the experiment, which may be unknown, and the flags.

    Raises:
        UserError: for data that a flag gives too.
    """
    if not words or words[0].startswith("-"):
        return None, list(words)
    first, rest = words[0], list(words[1:])
    path = paths.local(first)
    is_named = first in EXPERIMENTS or not (os.path.exists(path) or places.is_shards(first))
    if "/" not in first and is_named:
        return first, rest
    flags = {word.split("=")[0] for word in rest}
    if "--data.path" in flags and not flags & {"-h", "--help"}:
        raise UserError(f"{first} is the data: leave it out, or --data.path.")
    return None, [f"--data.name={_dataset(path)}", f"--data.path={first}", *rest]


def _dataset(path: str) -> str:
    """The name of the dataset that reads a path."""
    if places.is_shards(path):
        return "shards"
    listed = any(os.path.isfile(os.path.join(path, name)) for name in FOLDER_LISTS)
    return "manifest" if listed or os.path.isfile(path) else "folder"
