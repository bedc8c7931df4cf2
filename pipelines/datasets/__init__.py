"""The registry of datasets: a module per corpus, each with `Config`, `modality(config)` and `load(config, rate)`."""

import re

from pipelines.datasets import (
    an4,
    aurora2,
    commonvoice,
    digits,
    folder,
    librispeech,
    manifest,
    multilingual_tts,
    spoken_digit,
    spoken_digits_tts,
    tfds,
    timit,
)
from pipelines.datasets.joined import joined
from pipelines.datasets.subset import subset
from pipelines.errors import UserError, unknown

DATASETS = {
    "an4": an4,
    "aurora2": aurora2,
    "commonvoice": commonvoice,
    "digits": digits,
    "folder": folder,
    "librispeech": librispeech,
    "manifest": manifest,
    "multilingual_tts": multilingual_tts,
    "spoken_digit": spoken_digit,
    "spoken_digits_tts": spoken_digits_tts,
    "timit": timit,
    "mnist": tfds,
    "cifar10": tfds,
    "imagenet2012": tfds,
    "speech_commands": tfds,
}


def find(name):
    """The module of a dataset; any other name that TensorFlow Datasets knows is `tfds`.

    Raises UserError with the nearest names for the rest.
    """
    if name in DATASETS:
        return DATASETS[name]
    import tensorflow_datasets  # slow to import

    known = tensorflow_datasets.list_builders()
    if re.split("[/:]", name)[0] not in known:
        raise unknown("dataset", name, sorted({*DATASETS, *known}))
    return tfds


def load(config, sample_rate_hz=None):
    """The Corpus that `config.name` names; waveforms come at `sample_rate_hz` (None = the corpus's own rate)."""
    corpus = joined(subset(find(config.name).load(config, sample_rate_hz), config), config)
    for name, split in corpus.splits.items():
        if split.size == 0:
            raise UserError(f"The {name} split of {config.name} holds no examples: see the settings data.* in --help.")
    return corpus
