"""A folder of background noises: its first-level sub-folders are the types of noise."""

import os
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines import audio
from pipelines.errors import UserError, unknown

PARTS = ("all", "train", "test")


def load(
    path: str | os.PathLike,
    sample_rate_hz: int | None,
    types: Sequence[str] = (),
    part: str = "all",
    fraction: float = 1.0,
) -> dict[str, list[np.ndarray]]:
    """Reads every audio file below a folder.

    A file's type is the first folder on its way below `path`, and for files directly in it the name of `path` itself.

    Args:
        path: The folder.
        sample_rate_hz: The rate to convert to; None keeps the files' own.
        types: The types to read; empty is all.
        part: "train" is the first `fraction` of each file's samples, "test" the rest, "all" both. A file whose part is
            empty is left out.
        fraction: From 0 to 1.

    Returns:
        Type of noise, sorted -> float32 waveforms `(samples,)` in [-1, 1], sorted by their paths.

    Raises:
        UserError: The folder is missing or holds no audio, a type is unknown or its part is empty, or a file cannot be
            read.
        ValueError: Another `part`, or a `fraction` out of range.
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
        parts = (_part(audio.read(file, sample_rate_hz)[0], part, fraction) for file in files[name])
        loaded[name] = [waveform for waveform in parts if len(waveform)]
        if not loaded[name]:
            raise UserError(
                f"No {part} part of the noise {name} of {path} is left: the fraction for training is {fraction}."
            )
    return loaded


def flat(loaded: Mapping[str, Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Joins what `load` returned into one list of waveforms, type after type."""
    return [waveform for waveforms in loaded.values() for waveform in waveforms]


def type_names(path: str | os.PathLike) -> list[str]:
    """Lists the types of noise in a folder, sorted.

    Raises:
        UserError: The folder is missing or holds no audio.
    """
    return list(_files(path))


def piece(waveforms: Sequence[np.ndarray], samples: int, name: str, seed: tuple[int, ...]) -> np.ndarray:
    """Draws a piece of one of several waveforms; a waveform that is too short starts again after its end.

    The piece follows from `name` and `seed` only. Its start is drawn as a fraction of the waveform, so that it is the
    same at every sample rate. A longer waveform never wraps around, which would put a jump into the piece.

    Args:
        waveforms: float32 `(length,)` each.
        samples: Length of the piece.
        name: The type of noise.
        seed: Integers of 0 or more.

    Returns:
        float32 `(samples,)`.
    """
    random = np.random.default_rng([*seed, zlib.crc32(name.encode())])
    waveform = waveforms[random.integers(len(waveforms))]
    starts = len(waveform) - samples + 1 if len(waveform) >= samples else len(waveform)
    start = int(random.random() * starts)
    return np.take(waveform, np.arange(start, start + samples), mode="wrap")


def _part(waveform: np.ndarray, part: str, fraction: float) -> np.ndarray:
    stop = round(len(waveform) * fraction)
    return {"all": waveform, "train": waveform[:stop], "test": waveform[stop:]}[part]


def _files(path: str | os.PathLike) -> dict[str, list[str]]:
    """Type of noise, sorted -> its files, sorted."""
    path = os.fspath(path)
    if not os.path.isdir(path):
        raise UserError(f"The noise folder {path} does not exist.")
    files: dict[str, list[str]] = {}
    own_name = os.path.basename(os.path.realpath(path))
    for folder, _, names in os.walk(path):
        below = os.path.relpath(folder, path)
        kind = own_name if below == os.curdir else below.split(os.sep)[0]
        files.setdefault(kind, []).extend(os.path.join(folder, name) for name in names if _is_audio(name))
    files = {kind: sorted(files[kind]) for kind in sorted(files) if files[kind]}
    if not files:
        raise UserError(f"The noise folder {path} holds no audio: its files must end in {' '.join(audio.SUFFIXES)}.")
    return files


def _is_audio(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in audio.SUFFIXES
