"""Clips and noises that are distinguished by their pitch, for tests of the noise report."""

import numpy as np
import soundfile

from pipelines.datasets import memory
from pipelines.datasets.base import Corpus

RATE = 8000


def tone(hz, seconds, level=0.1):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype("float32")


def write_noises(folder):
    """Hum and hiss; the last 30 % of each file are an octave higher. Returns the folder's name."""
    for name, hz in (("hiss", 1200), ("hum", 400)):
        (folder / name).mkdir()
        for i in range(2):
            soundfile.write(folder / name / f"{i}.wav", np.r_[tone(hz, 3.5), tone(2 * hz, 1.5)], RATE)
    return str(folder)


def ten_clips():
    """Ten clips, each of another loudness and length."""
    return [tone(800, 0.4 + 0.02 * i, 0.02 * (i + 1)) for i in range(10)]


def ten_classes():
    """The ten clips, each of a class of its own."""
    split = memory.clips(ten_clips(), range(10), map(str, range(10)))
    return Corpus("tones", "audio", tuple("abcdefghij"), {"test": split}, RATE)
