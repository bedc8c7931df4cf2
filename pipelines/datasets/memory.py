"""Clips that fit into memory, as a Split."""

from collections.abc import Iterable, Sequence
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
    lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
    stops = np.cumsum(lengths)
    flat = tf.constant(np.concatenate(waveforms).astype(np.float32))
    table = {"start": stops - lengths, "stop": stops}
    indices = None if labels is None else np.asarray(labels, np.int64)
    if indices is not None:
        table["label"] = indices

    def example(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        others = {name: value for name, value in row.items() if name not in ("start", "stop")}
        return {"audio": flat[row["start"] : row["stop"]], **others}

    seconds = lengths / rate if rate else None
    rows = tf.data.Dataset.from_tensor_slices(table)
    return Split.from_rows(
        rows, example, len(lengths), labels=indices, sources=list(sources), seconds=seconds, **fields
    )
