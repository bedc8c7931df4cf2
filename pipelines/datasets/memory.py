"""Clips, and pairs of pictures and clips, that fit into memory, as a Split."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Split


def clips(
    waveforms: Sequence[np.ndarray],
    labels: Sequence[int] | np.ndarray | None,
    sources: Iterable[str],
    rate: int | None = None,
    **fields: Any,
) -> Split:
    """Builds the Split of clips in memory.

    All clips are in one flat tensor, so that nothing is padded and the dataset's graph holds no samples.

    Args:
        waveforms: float32 `(samples,)` each.
        labels: Indices of classes, one per clip; None where there are none.
        sources: Names, one per clip.
        rate: Sample rate in hertz, for the clips' durations; None leaves them out.
        **fields: Further fields of the Split, such as `texts`.

    Returns:
        The Split, in the order of the waveforms.
    """
    lengths, table, audio = _flat(waveforms)
    indices = None if labels is None else np.asarray(labels, np.int64)
    if indices is not None:
        table["label"] = indices

    def example(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        others = {name: value for name, value in row.items() if name not in ("start", "stop")}
        return {"audio": audio(row), **others}

    seconds = lengths / rate if rate else None
    rows = tf.data.Dataset.from_tensor_slices(table)
    return Split.from_rows(
        rows, example, len(lengths), labels=indices, sources=list(sources), seconds=seconds, **fields
    )


def pairs(
    images: np.ndarray,
    waveforms: Sequence[np.ndarray],
    indices: np.ndarray,
    labels: np.ndarray,
    image_sources: Sequence[str],
    audio_sources: Sequence[str],
    **fields: Any,
) -> Split:
    """Builds the Split of pairs in memory; a picture or a clip of several pairs is stored once.

    Args:
        images: uint8 `(images, height, width, channels)`.
        waveforms: float32 `(samples,)` each.
        indices: `(pairs, 2)`, the indices of each pair's picture and clip.
        labels: int64 `(pairs,)`, one per pair: those of the same label match.
        image_sources: Names, one per picture.
        audio_sources: Names, one per clip.
        **fields: Further fields of the Split.

    Returns:
        The Split, in the order of `indices`.
    """
    _, clips, audio = _flat(waveforms)
    pixels = tf.constant(images)
    of_images, of_clips = indices[:, 0], indices[:, 1]
    table = {"image": of_images, **{name: places[of_clips] for name, places in clips.items()}, "label": labels}

    def example(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"image": tf.gather(pixels, row["image"]), "audio": audio(row), "label": row["label"]}

    names = [image_sources[i] for i in of_images], [audio_sources[i] for i in of_clips]
    return Split.from_rows(
        tf.data.Dataset.from_tensor_slices(table),
        example,
        len(indices),
        labels=labels,
        sources=[f"{image} + {clip}" for image, clip in zip(*names, strict=True)],
        image_sources=names[0],
        audio_sources=names[1],
        **fields,
    )


def _flat(
    waveforms: Sequence[np.ndarray],
) -> tuple[np.ndarray, dict[str, np.ndarray], Callable[[Mapping[str, tf.Tensor]], tf.Tensor]]:
    """The lengths of clips, where each is in one flat tensor, and a function from such a place to the samples."""
    lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
    stops = np.cumsum(lengths)
    flat = tf.constant(np.concatenate(waveforms).astype(np.float32))
    return lengths, {"start": stops - lengths, "stop": stops}, lambda row: flat[row["start"] : row["stop"]]
