"""A folder of background noises: its first-level sub-folders are the types of noise."""

import os
import zlib

import numpy as np

from pipelines import audio
from pipelines.errors import UserError, unknown

PARTS = ("all", "train", "test")


def load(path, sample_rate_hz, types=(), part="all", fraction=1.0):
    """Every audio file below a folder: a dict from the type of noise to a list of float32 arrays (samples,) in [-1, 1].

    A file's type is the first folder on its way below `path`, and for files directly in it the name of `path` itself.
    Types are sorted, and a type's waveforms by their path; `types` chooses some, empty is all. `part` "train" is the
    first `fraction` of each file's samples, "test" what comes after it, "all" both; a file of which nothing remains
    is left out.
    Raises UserError for a folder that is missing or holds no audio, for an unknown type, a file that cannot be read,
    and a type of which nothing remains; ValueError for another `part` or a `fraction` outside 0 to 1.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}. Received: {part!r}")
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be from 0 to 1. Received: {fraction}")
    files = _files(path)
    for name in types:
        if name not in files:
            raise unknown(f"type of noise in {path}", name, files)
    loaded = {}
    for name in [name for name in files if not types or name in types]:
        cut = (_cut(audio.read(file, sample_rate_hz)[0], part, fraction) for file in files[name])
        loaded[name] = [waveform for waveform in cut if len(waveform)]
        if not loaded[name]:
            raise UserError(f"Nothing of the noise {name} of {path} remains: the fraction for training is {fraction}.")
    return loaded


def flat(loaded):
    """The waveforms of all types, one after the other."""
    return [waveform for waveforms in loaded.values() for waveform in waveforms]


def type_names(path):
    """The sorted types of noise in a folder; UserError where it is missing or holds no audio."""
    return list(_files(path))


def piece(waveforms, samples, name, seed):
    """A random piece, float32 (samples,), of a random one of some waveforms, which begins again after its end.

    Which piece follows from `name`, the type of noise, and `seed`, a tuple of integers of 0 or more, alone. The place
    is drawn as a part of the waveform, so that it is the same at every sample rate. A waveform that is longer is
    never cut at its end, which would put a jump into the piece.
    """
    random = np.random.default_rng([*seed, zlib.crc32(name.encode())])
    waveform = waveforms[random.integers(len(waveforms))]
    starts = len(waveform) - samples + 1 if len(waveform) >= samples else len(waveform)
    start = int(random.random() * starts)
    return np.take(waveform, np.arange(start, start + samples), mode="wrap")


def _cut(waveform, part, fraction):
    stop = round(len(waveform) * fraction)
    return {"all": waveform, "train": waveform[:stop], "test": waveform[stop:]}[part]


def _files(path):
    """A dict from each type, sorted, to its files, sorted."""
    if not os.path.isdir(path):
        raise UserError(f"The noise folder {path} does not exist.")
    found = {}
    for folder, _, names in os.walk(path):
        below = os.path.relpath(folder, path)
        own = os.path.basename(os.path.realpath(path))
        name = own if below == os.curdir else below.split(os.sep)[0]
        found.setdefault(name, []).extend(os.path.join(folder, file) for file in names if _is_audio(file))
    found = {name: sorted(found[name]) for name in sorted(found) if found[name]}
    if not found:
        raise UserError(f"The noise folder {path} holds no audio: its files must end in {' '.join(audio.SUFFIXES)}.")
    return found


def _is_audio(name):
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in audio.SUFFIXES
