"""The Free Spoken Digit Dataset (Jackson et al.): 2,500 clips of 8 kHz speech, ten digits, five speakers."""

import dataclasses
import re
from typing import Literal

import numpy as np

from pipelines import audio
from pipelines.datasets import memory, tfds
from pipelines.datasets.base import Corpus, DataConfig, split_indices
from pipelines.errors import UserError

SAMPLE_RATE_HZ = 8000


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """The corpus's own test split, or speakers left out; the validation split is a fraction of the rest."""

    name: str = "spoken_digit"  # dataset, see `python -m tfrec list`
    data_dir: str | None = None  # folder of prepared sets; none = TFDS_DATA_DIR, or else ~/tensorflow_datasets
    split: Literal["index", "speaker"] = "index"  # index: clips 0 to 4 of every digit and speaker are the test
    test_speakers: tuple[str, ...] = ()  # who is the test when `split` is speaker


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus, all clips in memory, at `sample_rate_hz` (None = 8000).

    Raises UserError for speakers that do not exist or are all taken, and as `pipelines.datasets.tfds.load` does.
    """
    builder = tfds.find_builder("spoken_digit", config.data_dir)
    tfds.prepare(builder)
    clips = []
    for example in tfds.read(builder, "train", ("audio", "audio/filename", "label")).as_numpy_iterator():
        clips.append((example["audio/filename"].decode(), int(example["label"]), example["audio"]))
    clips.sort(key=lambda clip: clip[0])
    sources = np.array([source for source, _, _ in clips])
    labels = np.array([label for _, label, _ in clips], np.int64)
    is_test = _is_test(config, sources)
    rest, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    kept, taken = split_indices(labels[rest], config.validation_fraction, config.split_seed)
    rate = sample_rate_hz or SAMPLE_RATE_HZ
    waveforms = [
        audio.resample_array(samples.astype(np.float32) / 32768, SAMPLE_RATE_HZ, rate) for _, _, samples in clips
    ]

    def split(indices):
        return memory.clips([waveforms[i] for i in indices], labels[indices], sources[indices].tolist())

    return Corpus(
        name="spoken_digit",
        modality="audio",
        class_names=tuple(builder.info.features["label"].names),
        splits={"train": split(rest[kept]), "validation": split(rest[taken]), "test": split(test)},
        sample_rate_hz=rate,
    )


def _is_test(config, sources):
    """A boolean per clip; a clip is named DIGIT_SPEAKER_INDEX.wav."""
    parts = [re.fullmatch(r"\d_([a-z]+)_(\d+)\.wav", source).groups() for source in sources]
    if config.split == "index":
        if config.test_speakers:
            raise UserError("data.test_speakers needs data.split to be 'speaker'; it is 'index'.")
        return np.array([int(index) <= 4 for _, index in parts])
    speakers = sorted({speaker for speaker, _ in parts})
    strange = sorted(set(config.test_speakers) - set(speakers))
    if strange or not config.test_speakers or set(config.test_speakers) == set(speakers):
        said = f"received {', '.join(map(repr, config.test_speakers))}" if config.test_speakers else "received none"
        raise UserError(f"data.test_speakers takes some, not all, of {', '.join(map(repr, speakers))}; {said}.")
    return np.array([speaker in config.test_speakers for speaker, _ in parts])
