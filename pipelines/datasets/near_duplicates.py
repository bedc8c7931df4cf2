"""Near copies among files: pictures and recordings that were saved again in another format, size or quality.

Pictures are compared by 16 x 16 pixels of their brightness and 8 x 8 of their color. Recordings are compared by a
coarse spectrogram, and those that are alike by the cross-correlation of their samples, which distinguishes two
utterances of the same word by the same speaker from one utterance saved twice.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pipelines import audio, images, progress
from pipelines.counts import counted, verb
from pipelines.datasets import files
from pipelines.errors import UserError
from pipelines.resampling import resample_array

# The limits find 97 % of the pictures of CIFAR-10 saved again as JPEG of quality 30 to 90, and no pair among its 50,000
# training pictures; and 98 % of the clips of spoken_digit saved as MP3, Vorbis or Opus, and no pair among its 2,500.
PICTURE_CORRELATION = 0.985
PICTURE_DIFFERENCE = 8.0  # root mean square over brightness, and over color, of 255
SPECTRUM_CORRELATION = 0.9
WAVEFORM_CORRELATION = 0.94

_SIZE, _COLOR_SIZE = 16, 8
_RATE_HZ, _BANDS, _STEPS = 8000, 20, 24
_BAND_HZ = (200.0, 3400.0)
_COMPARED_S = 30  # of a recording
_BLOCK = 4000  # rows of the matrix of correlations at once
_SHOWN = 3


def merge(rows: Sequence[files.Row], identities: Sequence[str]) -> tuple[list[str], list[str]]:
    """Gives near copies the same identity.

    Args:
        rows: One per example, all pictures or all audio.
        identities: Of the rows, by content.

    Returns:
        The identities, of near copies the first in order of the alphabet; and sentences about them.
    """
    first = {identity: i for i, identity in reversed(list(enumerate(identities)))}
    places = sorted(first.values())
    root = list(range(len(places)))

    def top(i: int) -> int:
        while root[i] != i:
            i = root[i]
        return i

    pairs = find([rows[i] for i in places])
    for i, j in pairs:
        a, b = sorted((top(i), top(j)), key=lambda i: identities[places[i]])
        root[b] = a
    if not pairs:
        return list(identities), []
    new = {identities[places[i]]: identities[places[top(i)]] for i in range(len(places))}
    shown = [f"{rows[places[i]].path} ~ {rows[places[j]].path}" for i, j in pairs[:_SHOWN]]
    text = ", ".join([*shown, *(["..."] if len(pairs) > _SHOWN else [])])
    count = sum(old != kept for old, kept in new.items())
    return [new[identity] for identity in identities], [
        f"{counted(count, 'example')} {verb(count, 'is a near copy of another', 'are near copies of others')} ({text});"
        " they are in the same split, unless the data names another."
    ]


def find(rows: Sequence[files.Row]) -> list[tuple[int, int]]:
    """Finds near copies among files.

    Args:
        rows: One per example, all pictures or all audio.

    Returns:
        Pairs of indices of rows; files that cannot be read are in none.
    """
    if not rows:
        return []
    if files.modality_of(row.path for row in rows) == "image":
        return list(_similar_pictures(_features(lambda row: _picture_features(images.read(row.path, 3)), rows)))
    read = functools.lru_cache(maxsize=64)(lambda i: _samples(rows[i]))
    return list(_similar_recordings(_features(lambda row: _spectrum(_samples(row)), rows), read))


def find_pictures(pictures: Iterable[np.ndarray]) -> list[tuple[int, int]]:
    """Finds near copies among pictures in memory.

    Args:
        pictures: Pixels `(height, width, channels)` from 0 to 255 each, with 1 or 3 channels, or 4 of which the last
            is left out.

    Returns:
        Pairs of their numbers.
    """
    return list(_similar_pictures([_picture_features(_in_color(pixels)) for pixels in pictures]))


def find_recordings(recordings: Sequence[np.ndarray], sample_rate_hz: int) -> list[tuple[int, int]]:
    """Finds near copies among recordings in memory.

    Args:
        recordings: Waveforms `(samples,)`.
        sample_rate_hz: Of all of them.

    Returns:
        Pairs of their numbers.
    """
    beginnings = [
        resample_array(samples[: _COMPARED_S * sample_rate_hz], sample_rate_hz, _RATE_HZ) for samples in recordings
    ]
    return list(_similar_recordings([_spectrum(samples) for samples in beginnings], beginnings.__getitem__))


def _in_color(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def _similar_pictures(found: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yields pairs of pictures that are near copies, from the features of each; None is in no pair."""
    kept = [i for i, features in enumerate(found) if features is not None]
    if not kept:
        return
    brightness, color = (np.array([found[i][part] for i in kept]) for part in (0, 1))

    def distance(values: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.sqrt(np.mean((values[i] - values[j]) ** 2, axis=1))

    for i, j in _correlated(brightness, PICTURE_CORRELATION):
        near = (distance(brightness, i, j) < PICTURE_DIFFERENCE) & (distance(color, i, j) < PICTURE_DIFFERENCE)
        yield from ((kept[a], kept[b]) for a, b in zip(i[near].tolist(), j[near].tolist(), strict=True))


def _similar_recordings(found: Sequence[Any], read: Callable[[int], np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yields pairs of recordings that are near copies, from the spectrum of each; None is in no pair."""
    kept = [i for i, features in enumerate(found) if features is not None]
    if not kept:
        return
    for i, j in _correlated(np.array([found[i] for i in kept]), SPECTRUM_CORRELATION):
        for a, b in zip(i.tolist(), j.tolist(), strict=True):
            if _waveform_correlation(read(kept[a]), read(kept[b])) >= WAVEFORM_CORRELATION:
                yield kept[a], kept[b]


def _features(function: Callable[[files.Row], Any], rows: Sequence[files.Row]) -> list[Any]:
    """What a function returns for each row; None for files that cannot be read, which other checks report."""

    def attempt(row: files.Row) -> Any:
        try:
            return function(row)
        except UserError:
            return None

    return list(progress.map_in_threads(attempt, rows, "files compared"))


def _picture_features(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightness `(256,)` and color `(128,)` of a small copy, from 0 to 255."""
    from PIL import Image

    pixels = np.clip(np.round(values), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels).convert("YCbCr")

    def small(size: int) -> np.ndarray:
        method = Image.Resampling.BOX if min(image.size) >= size else Image.Resampling.BILINEAR
        return np.asarray(image.resize((size, size), method), np.float32)

    return small(_SIZE)[..., 0].ravel(), small(_COLOR_SIZE)[..., 1:].ravel()


def _samples(row: files.Row) -> np.ndarray:
    """The beginning of a recording, float32 `(samples,)` at 8 kHz."""
    samples, _ = audio.read(row.path, _RATE_HZ)
    stop = len(samples) if row.end_s is None else round(row.end_s * _RATE_HZ)
    return samples[round(row.start_s * _RATE_HZ) : stop][: _COMPARED_S * _RATE_HZ]


def _spectrum(samples: np.ndarray) -> np.ndarray | None:
    """Logarithmic energy in bands of frequency over the sound's duration, `(480,)`; None for silence."""
    size = 256
    hop, window = size // 4, np.hanning(size)
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    power = np.abs(np.fft.rfft(frames * window, 2 * size)) ** 2  # (frames, bins)
    band = np.digitize(np.fft.rfftfreq(2 * size, 1 / _RATE_HZ), np.geomspace(*_BAND_HZ, _BANDS + 1)) - 1
    energy = np.stack([power[:, band == i].sum(axis=1) for i in range(_BANDS)], axis=1)  # (frames, bands)
    total = energy.sum(axis=1)
    if total.max() < 1e-9:
        return None
    loud = np.flatnonzero(total > 1e-3 * total.max())  # a codec adds silence at both ends
    levels = np.log(energy[loud[0] : loud[-1] + 1] + 1e-5 * total.max())
    sums = np.vstack([np.zeros(_BANDS), np.cumsum(levels, axis=0)])
    edges = np.linspace(0, len(levels), _STEPS + 1)
    at_edges = np.stack([np.interp(edges, np.arange(len(sums)), column) for column in sums.T], axis=1)
    return np.diff(at_edges, axis=0).astype(np.float32).ravel() * (_STEPS / len(levels))


def _waveform_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The largest normalized cross-correlation over all delays."""
    size = 1 << (len(a) + len(b) - 1).bit_length()
    product = np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.abs(np.fft.irfft(product, size)).max()) / max(norm, 1e-9)


def _correlated(vectors: np.ndarray, limit: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields indices (i, j), i < j, of vectors whose correlation is above a limit, block by block."""
    centered = vectors - vectors.mean(axis=1, keepdims=True)
    unit = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-6)
    for start in range(0, len(unit), _BLOCK):
        i, j = np.nonzero(unit[start : start + _BLOCK] @ unit[start:].T > limit)
        later = j > i
        yield i[later] + start, j[later] + start
