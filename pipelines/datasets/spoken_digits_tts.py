"""The ten digits spoken by espeak-ng's formant synthesiser: an audio corpus that comes with an install."""

import _ctypes
import contextlib
import ctypes
import dataclasses
import os
import threading

import numpy as np

from pipelines import audio
from pipelines.datasets import memory
from pipelines.datasets.base import Corpus, DataConfig, split_indices
from pipelines.errors import UserError

SAMPLE_RATE_HZ = 16000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-US", "en-GB-scotland", "en-GB-x-rp", "en-GB-x-gbclan", "en-GB-x-gbcwmd")
# A speaker is a voice variant, whatever the accent: its vocal tract then never stands on both sides of a split.
SPEAKERS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("Annie", "Mario", "belinda", "linda", "steph", "john", "travis"),
)

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _UTF8, _RATE, _PITCH = 2, 0x8000, 1, 1, 3
_LOCK = threading.Lock()  # the engine's state is global


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """How much is spoken; the fractions count speakers, and no speaker is in two splits."""

    name: str = "spoken_digits_tts"  # dataset, see `python -m tfrec.list`
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
    with _LOCK, _engine() as (speak, engine_hz):
        for speaker in SPEAKERS:
            for accent in ACCENTS:
                for label, word in enumerate(WORDS):
                    for take in range(config.renderings):
                        words_per_minute, pitch = generator.integers((120, 30), (220, 71))
                        spoken = _trimmed(speak(word, f"gmw/{accent}+{speaker}", int(words_per_minute), int(pitch)))
                        spoken = audio.resample_array(spoken, engine_hz, rate)
                        waveforms.append(_varied(spoken, rate, generator))
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


@contextlib.contextmanager
def _engine():
    """(speak(text, voice, words per minute, pitch) -> float32 samples, their rate), for as long as it lasts."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        home = espeakng_loader.get_data_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError("spoken_digits_tts needs the espeak-ng engine: pip install 'tfrec[tts]'.") from error
    handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    library.espeak_SetSynthCallback.argtypes = [handler]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    ]
    chunks = []

    @handler
    def collect(samples, count, _):
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        return 0

    engine_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(home), _DONT_EXIT)
    if engine_hz <= 0:
        raise UserError(f"espeak-ng cannot start from {home}: its data must lie there, at a path below 160 characters.")

    def speak(text, voice, words_per_minute, pitch):
        chunks.clear()
        data = text.encode() + b"\0"
        failed = (
            library.espeak_SetVoiceByName(voice.encode())
            or library.espeak_SetParameter(_RATE, words_per_minute, 0)
            or library.espeak_SetParameter(_PITCH, pitch, 0)
            or library.espeak_Synth(data, len(data), 0, 0, 0, _UTF8, None, None)
        )
        if failed or not chunks:
            raise UserError(
                f"espeak-ng cannot speak with its voice {voice!r}: reinstall it (pip install 'tfrec[tts]')."
            )
        return np.concatenate(chunks)

    try:
        library.espeak_SetSynthCallback(collect)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of the breath noise; the clock seeds it otherwise
        yield speak, engine_hz
    finally:
        library.espeak_Terminate()
        # The phases of its oscillators outlive espeak_Terminate: only a library loaded anew speaks the same again.
        unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary
        unload(library._handle)


def _trimmed(waveform):
    """Without the engine's own silence, whose length tells the voice."""
    loud = np.flatnonzero(np.abs(waveform) > 0.01 * np.abs(waveform).max())
    return waveform[loud[0] : loud[-1] + 1]


def _varied(waveform, rate, generator):
    """At a random loudness (-12 to 0 dB below full scale at its peak), with up to 100 ms of silence on both sides."""
    peak = 10 ** (generator.uniform(-12, 0) / 20)
    before, after = generator.integers(0, rate // 10, 2)
    return np.pad(waveform * (peak / np.abs(waveform).max()), (before, after)).astype(np.float32)
