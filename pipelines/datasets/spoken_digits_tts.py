"""The ten digits spoken by espeak-ng's formant synthesizer: an audio corpus that comes with an install."""

import dataclasses

import numpy as np

from pipelines import audio
from pipelines.datasets import espeak, memory
from pipelines.datasets.base import Corpus, DataConfig, split_indices

SAMPLE_RATE_HZ = 16000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-US", "en-GB-scotland", "en-GB-x-rp", "en-GB-x-gbclan", "en-GB-x-gbcwmd")
# A speaker is a voice variant, whatever the accent: its vocal tract then never stands on both sides of a split.
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

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.renderings <= 100:
            raise ValueError(f"data.renderings must be 1 to 100. Received: {self.renderings}")


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus, all clips in memory, at `sample_rate_hz` (None = 16000); the same for the same config.

    Raises UserError where the engine is not installed.
    """
    rate = sample_rate_hz or SAMPLE_RATE_HZ
    generator = np.random.default_rng(config.speech_seed)
    waveforms, labels, speakers, sources = [], [], [], []
    with espeak.LOCK, espeak.engine() as (speak, engine_hz):
        for speaker in SPEAKERS:
            for accent in ACCENTS:
                for label, word in enumerate(WORDS):
                    for take in range(config.renderings):
                        words_per_minute, pitch = generator.integers((120, 30), (220, 71))
                        spoken = espeak.trimmed(
                            speak(word, f"gmw/{accent}+{speaker}", int(words_per_minute), int(pitch))
                        )
                        spoken = audio.resample_array(spoken, engine_hz, rate)
                        waveforms.append(espeak.varied(spoken, rate, generator))
                        labels.append(label)
                        speakers.append(speaker)
                        sources.append(f"{word}_{accent}+{speaker}_{take}")
    labels, speakers = np.array(labels, np.int64), np.array(speakers)
    rest, test = split_indices(labels, config.test_fraction, config.split_seed, speakers)
    kept, taken = split_indices(labels[rest], config.validation_fraction, config.split_seed, speakers[rest])

    def split(indices):
        return memory.clips([waveforms[i] for i in indices], labels[indices], [sources[i] for i in indices])

    return Corpus(
        name="spoken_digits_tts",
        modality="audio",
        class_names=WORDS,
        splits={"train": split(rest[kept]), "validation": split(rest[taken]), "test": split(test)},
        sample_rate_hz=rate,
    )
