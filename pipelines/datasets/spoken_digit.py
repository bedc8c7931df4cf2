"""The Free Spoken Digit Dataset (Jackson et al.): 2,500 clips of 8 kHz speech, ten digits, five speakers."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipelines import audio
from pipelines.datasets import builders, memory
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.datasets.splitting import split_indices
from pipelines.errors import UserError

SAMPLE_RATE_HZ = 8000

_NAME = re.compile(r"\d_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """The test split is the corpus's own or whole speakers; the validation split is of the rest, likewise."""

    name: str = "spoken_digit"  # dataset, see `python -m tfrec list`
    data_dir: str | None = None  # folder of prepared sets; none = TFDS_DATA_DIR, or else ~/tensorflow_datasets
    split: Literal["index", "speaker"] = "index"  # index: clips 0 to 4 of every digit and speaker are the test
    test_speakers: tuple[str, ...] = ()  # the test split when `split` is speaker
    validation_speakers: tuple[str, ...] = ()  # the validation split; empty is validation_fraction of all speakers
    rare_speaker: str | None = None  # in training only rare_fraction of all clips are by this speaker
    rare_fraction: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rare_fraction < 1:
            raise ValueError(f"data.rare_fraction must be above 0 and below 1. Received: {self.rare_fraction}")


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus into memory.

    Args:
        config: The folder and the split.
        sample_rate_hz: The rate that clips are converted to; None is 8000.

    Returns:
        The Corpus.

    Raises:
        UserError: Speakers do not exist, are all of them or are named for two splits; or as `builders.prepare` raises
            it.
    """
    clips = read(config, sample_rate_hz)

    def split(indices: np.ndarray) -> Split:
        chosen, sources = [clips.waveforms[i] for i in indices], [clips.sources[i] for i in indices]
        speakers = [_speaker_and_index(source)[0] for source in sources]
        return memory.clips(chosen, clips.labels[indices], sources, speakers=speakers)

    return Corpus(
        name="spoken_digit",
        modality="audio",
        class_names=clips.class_names,
        splits={name: split(indices) for name, indices in clips.splits.items()},
        sample_rate_hz=clips.sample_rate_hz,
    )


@dataclasses.dataclass(frozen=True)
class Clips:
    """The corpus in memory, sorted by name.

    Attributes:
        waveforms: float32 `(samples,)` each.
        labels: int64 `(clips,)`, indices of classes.
        sources: Names of the clips.
        class_names: Names of the classes.
        splits: Split name -> sorted indices of its clips.
        sample_rate_hz: Of the waveforms.
    """

    waveforms: Sequence[np.ndarray]
    labels: np.ndarray
    sources: Sequence[str]
    class_names: tuple[str, ...]
    splits: Mapping[str, np.ndarray]
    sample_rate_hz: int


def read(config: Config, sample_rate_hz: int | None = None) -> Clips:
    """Reads all clips and divides them as `load` does; the arguments are those of `load`."""
    builder = builders.find_builder("spoken_digit", config.data_dir)
    builders.prepare(builder)
    clips = []
    for example in builders.read(builder, "train", ("audio", "audio/filename", "label")).as_numpy_iterator():
        clips.append((example["audio/filename"].decode(), int(example["label"]), example["audio"]))
    clips.sort(key=lambda clip: clip[0])
    sources = [source for source, _, _ in clips]
    labels = np.array([label for _, label, _ in clips], np.int64)
    rate = sample_rate_hz or SAMPLE_RATE_HZ
    waveforms = [
        audio.resample_array(samples.astype(np.float32) / 32768, SAMPLE_RATE_HZ, rate) for _, _, samples in clips
    ]
    class_names = tuple(builder.info.features["label"].names)
    return Clips(waveforms, labels, sources, class_names, _divide(config, sources, labels), rate)


def _divide(config: Config, sources: list[str], labels: np.ndarray) -> dict[str, np.ndarray]:
    """Split name -> indices of its clips."""
    is_test = _is_test(config, sources)
    rest, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if config.validation_speakers:
        remaining = [_speaker_and_index(sources[i]) for i in rest]
        is_taken = _spoken_by(config.validation_speakers, remaining, "data.validation_speakers")
        kept, taken = np.flatnonzero(~is_taken), np.flatnonzero(is_taken)
    else:
        kept, taken = split_indices(labels[rest], config.validation_fraction, config.split_seed)
    return {"train": _with_rare_speaker(config, rest[kept], sources), "validation": rest[taken], "test": test}


def _with_rare_speaker(config: Config, train: np.ndarray, sources: list[str]) -> np.ndarray:
    """The training clips, of which those by the rare speaker are few."""
    if config.rare_speaker is None:
        return train
    is_rare = _spoken_by((config.rare_speaker,), [_speaker_and_index(sources[i]) for i in train], "data.rare_speaker")
    count = round(config.rare_fraction / (1 - config.rare_fraction) * np.count_nonzero(~is_rare))
    own = np.random.default_rng(config.split_seed).permutation(train[is_rare])[:count]
    return np.sort(np.concatenate([train[~is_rare], own]))


def _is_test(config: Config, sources: list[str]) -> np.ndarray:
    """Which clips are the test split, bool `(clips,)`."""
    clips = [_speaker_and_index(source) for source in sources]
    if config.split == "index":
        if config.test_speakers:
            raise UserError("data.test_speakers needs data.split to be 'speaker'; it is 'index'.")
        return np.array([index <= 4 for _, index in clips])
    return _spoken_by(config.test_speakers, clips, "data.test_speakers")


def _spoken_by(chosen: tuple[str, ...], clips: list[tuple[str, int]], setting: str) -> np.ndarray:
    """Which clips are by the speakers that a setting names, bool `(clips,)`."""
    speakers = sorted({speaker for speaker, _ in clips})
    unknown = sorted(set(chosen) - set(speakers))
    if unknown or not chosen or set(chosen) == set(speakers):
        received = ", ".join(map(repr, chosen)) or "none"
        raise UserError(f"{setting} takes some, not all, of {', '.join(map(repr, speakers))}; received {received}.")
    return np.array([speaker in chosen for speaker, _ in clips])


def _speaker_and_index(source: str) -> tuple[str, int]:
    match = _NAME.fullmatch(source)
    if not match:
        raise ValueError(f"A clip must be named DIGIT_SPEAKER_INDEX.wav. Received: {source!r}")
    return match["speaker"], int(match["index"])
