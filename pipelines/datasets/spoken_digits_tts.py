"""The ten digits spoken by espeak-ng's formant synthesizer: an audio corpus that comes with an install."""

import dataclasses

import numpy as np

from pipelines.datasets import espeak, memory
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.datasets.splitting import split_indices

SAMPLE_RATE_HZ = 16000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-US", "en-GB-scotland", "en-GB-x-rp", "en-GB-x-gbclan", "en-GB-x-gbcwmd")
# A speaker is a voice variant, whatever the accent: its vocal tract is then in one split only.
SPEAKERS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("Annie", "Mario", "belinda", "linda", "steph", "john", "travis"),
)


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """How much is spoken; the fractions count speakers, and no speaker is in two splits."""

    name: str = "spoken_digits_tts"  # dataset, see `python -m tfrec list`
    renderings: int = 1  # of every digit by every speaker in every accent (20 speakers, 6 accents)
    speech_seed: int = 0  # of speed, pitch, loudness and the silence around a word

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.renderings <= 100:
            raise ValueError(f"data.renderings must be 1 to 100. Received: {self.renderings}")


@dataclasses.dataclass(frozen=True)
class _Clips:
    """All clips, in the order in which they are spoken."""

    waveforms: list[np.ndarray]
    labels: np.ndarray
    speakers: np.ndarray
    sources: list[str]


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Speaks the corpus into memory; the same config gives the same samples.

    Args:
        config: What is spoken, and how the speakers are split.
        sample_rate_hz: The rate that clips are converted to; None is 16000.

    Returns:
        The Corpus.

    Raises:
        UserError: The engine is not installed.
    """
    rate = sample_rate_hz or SAMPLE_RATE_HZ
    clips = _speak(config, rate)
    labels, speakers = clips.labels, clips.speakers
    rest, test = split_indices(labels, config.test_fraction, config.split_seed, speakers)
    kept, taken = split_indices(labels[rest], config.validation_fraction, config.split_seed, speakers[rest])

    def split(indices: np.ndarray) -> Split:
        waveforms = [clips.waveforms[i] for i in indices]
        return memory.clips(waveforms, labels[indices], [clips.sources[i] for i in indices])

    return Corpus(
        name="spoken_digits_tts",
        modality="audio",
        class_names=WORDS,
        splits={"train": split(rest[kept]), "validation": split(rest[taken]), "test": split(test)},
        sample_rate_hz=rate,
    )


def _speak(config: Config, rate: int) -> _Clips:
    generator = np.random.default_rng(config.speech_seed)
    waveforms, labels, speakers, sources = [], [], [], []
    with espeak.LOCK, espeak.engine() as engine:
        for speaker in SPEAKERS:
            for accent in ACCENTS:
                for label, word in enumerate(WORDS):
                    for take in range(config.renderings):
                        waveforms.append(espeak.utter(engine, word, f"gmw/{accent}+{speaker}", rate, generator))
                        labels.append(label)
                        speakers.append(speaker)
                        sources.append(f"{word}_{accent}+{speaker}_{take}")
    return _Clips(waveforms, np.array(labels, np.int64), np.array(speakers), sources)
