"""The registry of datasets: a module per corpus, each with what `base.Dataset` describes."""

import re

from pipelines.datasets import (
    an4,
    aurora2,
    commands,
    commonvoice,
    digit_pairs,
    digits,
    flickr8k_audio,
    folder,
    librispeech,
    manifest,
    multilingual_tts,
    paired,
    places_audio,
    rejection,
    shards,
    spoken_digit,
    spoken_digits_tts,
    tfds,
    timit,
)
from pipelines.datasets.base import Corpus, DataConfig, Dataset, LabelKind
from pipelines.datasets.selection import join_validation, select_classes, take_fraction
from pipelines.errors import UserError, unknown

DATASETS: dict[str, Dataset] = {
    "an4": an4,
    "aurora2": aurora2,
    "commands": commands,
    "commonvoice": commonvoice,
    "digit_pairs": digit_pairs,
    "digits": digits,
    "flickr8k_audio": flickr8k_audio,
    "folder": folder,
    "librispeech": librispeech,
    "manifest": manifest,
    "multilingual_tts": multilingual_tts,
    "paired": paired,
    "places_audio": places_audio,
    "shards": shards,
    "spoken_digit": spoken_digit,
    "spoken_digits_tts": spoken_digits_tts,
    "timit": timit,
    "mnist": tfds,
    "cifar10": tfds,
    "imagenet2012": tfds,
    "speech_commands": tfds,
}


def find(name: str) -> Dataset:
    """Finds the module of a dataset.

    Args:
        name: A key of DATASETS, or any other name that TensorFlow Datasets knows, for which the module is `tfds`.

    Returns:
        The module.

    Raises:
        UserError: The name is unknown; the sentence suggests the nearest names.
    """
    if name in DATASETS:
        return DATASETS[name]
    import tensorflow_datasets  # slow to import

    known = tensorflow_datasets.list_builders()
    if re.split("[/:]", name)[0] not in known:
        raise unknown("dataset", name, sorted({*DATASETS, *known}))
    return tfds


def label_kind(name: str) -> LabelKind:
    """Finds what the examples of a dataset are labeled with, without reading the data.

    >>> label_kind("digits"), label_kind("an4")
    ('classes', 'texts')

    Args:
        name: As `find` takes it.

    Returns:
        "classes", "texts" or "numbers": the usual kind, where the data can be of several, such as a manifest's.

    Raises:
        UserError: As `find` raises it.
    """
    return getattr(find(name), "LABELS", "classes")


def load(config: DataConfig, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus that `config.name` names, with the classes and examples that the config selects.

    Args:
        config: The `Config` of the dataset's module.
        sample_rate_hz: The rate that waveforms are converted to; None keeps the corpus's own.

    Returns:
        The Corpus; none of its splits is empty.

    Raises:
        UserError: As the module's `load` raises it, or a split is empty.
    """
    corpus = find(config.name).load(config, sample_rate_hz)
    corpus = take_fraction(select_classes(corpus, config), config)
    corpus = join_validation(rejection.add_examples(corpus, config), config)
    for name, split in corpus.splits.items():
        if split.size == 0:
            raise UserError(f"The {name} split of {config.name} holds no examples: see the settings data.* in --help.")
    return corpus
