"""Small audio files, written for tests."""

import numpy as np
import soundfile

SAMPLES = 4000
# Suffix, soundfile's subtype, our coding, the maximum error of the format itself.
FORMATS = [
    ("wav", "PCM_U8", "wav8", 1 / 64),
    ("wav", "PCM_16", "wav16", 1e-4),
    ("wav", "PCM_24", "wav24", 1e-6),
    ("wav", "PCM_32", "soundfile", 1e-6),
    ("wav", "FLOAT", "wav_float", 1e-6),
    ("wav", "DOUBLE", "soundfile", 1e-6),
    ("wav", "ULAW", "soundfile", 0.03),
    ("flac", "PCM_S8", "soundfile", 1 / 64),
    ("flac", "PCM_16", "flac16", 1e-4),
    ("flac", "PCM_24", "soundfile", 1e-6),
    ("ogg", "VORBIS", "vorbis", 0.1),
    ("mp3", "MPEG_LAYER_III", "mp3", 0.1),
]


def tone(channels=2):
    time = np.arange(SAMPLES) / 8000
    return np.stack([0.4 * np.sin(2 * np.pi * hz * time) for hz in (300, 500)[:channels]], axis=1)


def write(folder, suffix, subtype, rate=16000, samples=None):
    path = folder / f"{subtype}.{suffix}"
    soundfile.write(path, tone() if samples is None else samples, rate, subtype=subtype)
    return str(path)
