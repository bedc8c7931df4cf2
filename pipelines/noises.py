"""A folder of background noises: its first-level sub-folders are the types of noise."""

import logging
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pipelines import audio
from pipelines.audio_formats.names import shown
from pipelines.errors import UserError, unknown

logger = logging.getLogger(__name__)

PARTS = ("all", "train", "test")

MAX_SAMPLES = 2**31 - 10**6  # of all noises in training, by the headers of their files
_SILENT = 2.0**-24  # below the lowest step of 24 bits
_SHOWN = 3  # names in a warning


def load(
    path: str | os.PathLike,
    sample_rate_hz: int | None,
    types: Sequence[str] = (),
    part: str = "all",
    fraction: float = 1.0,
) -> dict[str, list[np.ndarray]]:
    """Reads every audio file below a folder.

    A file's type is the first folder on its way below `path`, and for files directly in it the name of `path` itself.
    Links to folders are followed. A warning names files that are silent.

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
    loaded: dict[str, list[np.ndarray]] = {}
    for name, waveform in _parts(path, sample_rate_hz, _chosen(path, types, part, fraction), part, fraction):
        loaded.setdefault(name, []).append(waveform)
    return loaded


def waveforms(
    path: str | os.PathLike,
    sample_rate_hz: int | None,
    types: Sequence[str] = (),
    part: str = "all",
    fraction: float = 1.0,
) -> Iterator[np.ndarray]:
    """Reads what `load` reads, one file after the other.

    Args:
        path: As `load` takes it.
        sample_rate_hz: As `load` takes it.
        types: As `load` takes it.
        part: As `load` takes it.
        fraction: As `load` takes it.

    Yields:
        float32 waveforms `(samples,)` in the order of `flat`.

    Raises:
        UserError: As `load` raises it, or the noises have more samples than a `NoiseMix` takes.
        ValueError: As `load` raises it.
    """
    files = _chosen(path, types, part, fraction)
    share = {"all": 1.0, "train": fraction, "test": 1 - fraction}[part]
    infos = [audio.probe(file) for names in files.values() for file in names]
    samples = sum(
        share * info.samples * (sample_rate_hz or info.sample_rate_hz) / info.sample_rate_hz for info in infos
    )
    if samples > MAX_SAMPLES:
        raise UserError(
            f"The noises in {shown(path)} have {samples:,.0f} samples, and the maximum is {MAX_SAMPLES:,}: name some of"
            " its types in frontend.noise_types, or lower frontend.noise_fraction."
        )
    for _, waveform in _parts(path, sample_rate_hz, files, part, fraction):
        yield waveform


def flat(loaded: Mapping[str, Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Joins what `load` returned into one list of waveforms, type after type."""
    return [waveform for waveforms in loaded.values() for waveform in waveforms]


def type_names(path: str | os.PathLike) -> list[str]:
    """Lists the types of noise in a folder, sorted.

    Raises:
        UserError: The folder is missing or holds no audio.
    """
    return list(_files(path))


def is_silent(waveform: np.ndarray) -> bool:
    """Whether a noise adds nothing: it has no sample, or none above the lowest step of 24 bits."""
    return float(np.abs(waveform).max(initial=0)) < _SILENT


def silent_types(loaded: Mapping[str, Sequence[np.ndarray]]) -> list[str]:
    """Finds the types of noise that add nothing, in what `load` returned: a score among them is that of clean clips."""
    return [name for name, waveforms in loaded.items() if all(map(is_silent, waveforms))]


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
    random = np.random.default_rng([*seed, zlib.crc32(os.fsencode(name))])
    waveform = waveforms[random.integers(len(waveforms))]
    starts = len(waveform) - samples + 1 if len(waveform) >= samples else len(waveform)
    start = int(random.random() * starts)
    return np.take(waveform, np.arange(start, start + samples), mode="wrap")


def _chosen(path: str | os.PathLike, types: Sequence[str], part: str, fraction: float) -> dict[str, list[str]]:
    """The files of some types; checks the arguments of `load`."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}. Received: {part!r}")
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be from 0 to 1. Received: {fraction}")
    files = _files(path)
    for name in types:
        if name not in files:
            raise unknown(f"type of noise in {shown(path)}", name, files)
    return {name: names for name, names in files.items() if not types or name in types}


def _parts(
    path: str | os.PathLike, sample_rate_hz: int | None, files: Mapping[str, Sequence[str]], part: str, fraction: float
) -> Iterator[tuple[str, np.ndarray]]:
    """(type, part of a file) for every file of which a part is left, file by file; warns about silent ones."""
    silent = []
    for name, names in files.items():
        is_empty = True
        for file in names:
            waveform = _part(audio.read(file, sample_rate_hz)[0], part, fraction)
            if len(waveform):
                is_empty = False
                if is_silent(waveform):
                    silent.append(file)
                yield name, waveform
        if is_empty:
            raise UserError(
                f"No {part} part of the noise {shown(name)} of {shown(path)} is left: the fraction for training is"
                f" {fraction}."
            )
    if silent:
        total = sum(map(len, files.values()))
        more = ", ..." if len(silent) > _SHOWN else ""
        logger.warning(
            "%s of %s noises in %s are silent and add nothing: %s%s.",
            f"{len(silent):,}",
            f"{total:,}",
            shown(path),
            ", ".join(map(shown, silent[:_SHOWN])),
            more,
        )


def _part(waveform: np.ndarray, part: str, fraction: float) -> np.ndarray:
    stop = round(len(waveform) * fraction)
    return {"all": waveform, "train": waveform[:stop], "test": waveform[stop:]}[part]


def _files(path: str | os.PathLike) -> dict[str, list[str]]:
    """Type of noise, sorted -> its files, sorted."""
    path = os.fspath(path)
    if not os.path.isdir(path):
        raise UserError(f"The noise folder {shown(path)} does not exist.")
    files: dict[str, list[str]] = {}
    own_name = os.path.basename(os.path.realpath(path))
    for folder, names in _walk(path, ()):
        below = os.path.relpath(folder, path)
        kind = own_name if below == os.curdir else below.split(os.sep)[0]
        files.setdefault(kind, []).extend(os.path.join(folder, name) for name in names if _is_audio(name))
    files = {kind: sorted(files[kind]) for kind in sorted(files) if files[kind]}
    if not files:
        raise UserError(
            f"The noise folder {shown(path)} holds no audio: its files must end in {' '.join(audio.SUFFIXES)}."
        )
    return files


def _walk(folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Every folder below a folder, and the names of its files; a link to a folder above it is not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, os.path.isdir(entry.path)) for entry in entries]
    except OSError as error:
        raise UserError(f"{shown(folder)} cannot be read: {error.strerror}.") from error
    yield folder, [name for name, is_folder in found if not is_folder]
    for name in sorted(name for name, is_folder in found if is_folder and not _is_hidden(name)):
        yield from _walk(os.path.join(folder, name), (*above, real))


def _is_hidden(name: str) -> bool:
    """Whether a folder is one that systems leave next to data."""
    return name.startswith(".") or name in ("__MACOSX", "@eaDir")


def _is_audio(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in audio.SUFFIXES
